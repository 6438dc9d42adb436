"""The keeper of checkpoints in a training pod: a process beside the sidecar, with the store's keys.

It stores what the script announces, makes checkpoints valid on the node of rank 0, keeps the
ledger, and brings files back for a restore. After SIGTERM it finishes what is announced, and ends.

Variables: ``SLIPWAY_CHECKPOINT_DIR``, ``SLIPWAY_RESTORE_DIR``, ``SLIPWAY_RUN_DIR``,
``SLIPWAY_CHECKPOINT_URI``, ``SLIPWAY_CHECKPOINT_KEEP``, ``SLIPWAY_CHECKPOINT_RESUME`` (``own``:
only from this job's), ``SLIPWAY_CHECKPOINT_PATIENCE_SECONDS``, ``SLIPWAY_JOB_UID``.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime import credentials, store
from slipway_runtime.answering import AnsweringServer, Send
from slipway_runtime.bringing import say_why
from slipway_runtime.checkpoint.files import (
    SOCKET_NAME,
    Announcement,
    Ledger,
    announced,
    owner_of,
    write_ledger,
)
from slipway_runtime.checkpoint_store import Archive, LostError
from slipway_runtime.manifest import OutputError
from slipway_runtime.termination import say

PAUSE_SECONDS = 0.3
PEERS_SECONDS = 20.0
"""How long a pod that ends waits for its peers' parts of a save that was not made to end with."""


class Keeper:
    """Stores saves in the order in which they were announced."""

    def __init__(self, save_dir: Path, restore_dir: Path, archive: Archive) -> None:
        self._save_dir = save_dir
        self._restore_dir = restore_dir
        self._archive = archive
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._ledger = Ledger()
        self._known: dict[str, dict[str, Any]] = {}
        self._ended_at: float | None = None
        self._write(self._ledger)

    def end(self, *_: object) -> None:
        """Do what is announced, then no more: a signal handler."""
        self._ended_at = time.monotonic()

    def work(self) -> None:
        """Store what is announced, until the end and nothing more is left to do."""
        while True:
            waiting = self._announced()
            for folder, said in waiting:
                self._store(folder, said)
            if self._ended_at is not None and not waiting:
                return
            if not waiting:
                time.sleep(PAUSE_SECONDS)

    def answer(self, request: Mapping[str, Any], send: Send) -> None:
        """Do what a script asks for; errors become a sentence."""

        def tell(message: str) -> None:
            say(message)
            send({"event": "working", "message": message})

        try:
            send({"event": "done", "result": self._do(request, tell)})
        except ConnectionError:
            raise  # it is the script that is gone
        except (store.StoreError, LostError, OSError, ValueError, KeyError) as error:
            message = f"The checkpoint cannot be restored. {say_why(error)}"
            say(message)
            send({"event": "failed", "message": message})

    def _do(self, request: Mapping[str, Any], tell: Callable[[str], None]) -> Any:
        command = request.get("command")
        if command == "newest":
            return self.newest(tell)
        if command == "fetch":
            return self.fetch(str(request["name"]), request["files"], tell)
        if command == "release":
            return self.release(str(request["name"]))
        raise ValueError("The commands are newest, fetch and release.")

    def newest(self, tell: Callable[[str], None]) -> dict[str, Any] | None:
        """Return what a restore begins from, without its list of files; None for nothing."""
        found = self._archive.newest(tell)
        if found is None:
            return None
        self._known[found["name"]] = found
        self._commit(found)
        return {key: found[key] for key in ("name", "step", "kind", "state")}

    def fetch(self, name: str, paths: list[str] | None, tell: Callable[[str], None]) -> None:
        """Bring files of a checkpoint into the folder for restoring."""
        with self._fetching:
            if name not in self._known:
                self.newest(tell)
            found = self._known.get(name)
            if found is None:
                raise LostError(f"The checkpoint {name} is not in the store any more.")
            self._archive.fetch(found, paths, self._restore_dir / name)

    def release(self, name: str) -> None:
        """Take fetched files away."""
        if name in self._known:
            shutil.rmtree(self._restore_dir / name, ignore_errors=True)

    def _announced(self) -> list[tuple[Path, Announcement]]:
        found = []
        for folder in self._save_dir.glob("step-*"):
            said = announced(folder)
            if said and folder.name not in self._ledger.stored and said.name == folder.name:
                found.append((folder, said))
        return sorted(found, key=lambda one: one[1].began)

    def _store(self, folder: Path, said: Announcement) -> None:
        try:
            self._archive.put(folder, said)
            self._stored(said.name)
            whole = self._archive.commit(said, lambda: self._waits_for(said)) if said.main else None
        except (store.StoreError, OutputError, OSError) as error:
            self._fail(said, error)
            return
        if whole is not None:
            self._commit(whole)
            say(f"the checkpoint of step {said.step} is in the store")
            self._prune(said.name)
        elif said.main:
            say(f"the checkpoint of step {said.step} is given up: a peer's part is missing")

    def _waits_for(self, said: Announcement) -> bool:
        """Tell whether to wait for the peers: for long, if all stop and save for that."""
        if self._ended_at is None:
            return not any(later.began > said.began for _, later in self._announced())
        return said.final or time.monotonic() - self._ended_at < PEERS_SECONDS

    def _prune(self, newest: str) -> None:
        try:
            self._archive.prune(newest)
        except store.StoreError as error:
            say(f"old checkpoints stay until the next one is stored: {error}")

    def _commit(self, found: Mapping[str, Any]) -> None:
        committed = {
            "name": found["name"],
            "step": found["step"],
            "time": found["time"],
            "seconds": max(0.0, found["time"] - found["began"]),
            "sizeBytes": sum(entry["sizeBytes"] for entry in found["files"]),
            "uri": f"{self._archive.uri}/{found['name']}",
        }
        self._update(committed=committed, failure=None)

    def _stored(self, name: str) -> None:
        there = tuple(one for one in self._ledger.stored if (self._save_dir / one).exists())
        self._update(stored=(*there, name))

    def _fail(self, said: Announcement, error: Exception) -> None:
        message = f"The checkpoint of step {said.step} was not stored. {error}"
        say(message)
        self._stored(said.name)
        self._update(failure=message)

    def _update(self, **changes: Any) -> None:
        with self._lock:
            self._ledger = Ledger(**{**vars(self._ledger), **changes})
            self._write(self._ledger)

    def _write(self, ledger: Ledger) -> None:
        with contextlib.suppress(OSError):
            write_ledger(self._restore_dir, ledger)


def archive(env: Mapping[str, str]) -> Archive:
    """Return the archive that the variables name."""
    return Archive(
        env["SLIPWAY_CHECKPOINT_URI"],
        owner_of(env.get("SLIPWAY_JOB_UID", "")),
        keep=int(env.get("SLIPWAY_CHECKPOINT_KEEP", "3")),
        own_only=env.get("SLIPWAY_CHECKPOINT_RESUME") == "own",
        patience=float(env.get("SLIPWAY_CHECKPOINT_PATIENCE_SECONDS", "900")),
    )


def main() -> int:
    """Keep checkpoints until SIGTERM and the end of the work; returns the exit code."""
    env = os.environ
    restore_dir, run_dir = Path(env["SLIPWAY_RESTORE_DIR"]), Path(env["SLIPWAY_RUN_DIR"])
    keeper = Keeper(Path(env["SLIPWAY_CHECKPOINT_DIR"]), restore_dir, archive(env))
    signal.signal(signal.SIGTERM, keeper.end)
    signal.signal(signal.SIGINT, keeper.end)
    server = AnsweringServer(run_dir / SOCKET_NAME, keeper.answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keeper.work()
    return 0


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main())
