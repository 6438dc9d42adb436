"""The keeper of checkpoints in a training pod: a process beside the sidecar, with the store's keys.

It stores what the script announces, makes checkpoints valid on the node of rank 0, keeps the
ledger, and brings files back for a restore. After SIGTERM it finishes what is announced, and ends.

Variables: ``SLIPWAY_CHECKPOINT_DIR``, ``SLIPWAY_RESTORE_DIR``, ``SLIPWAY_AGENT_DIR``,
``SLIPWAY_CHECKPOINT_URI``, ``SLIPWAY_CHECKPOINT_KEEP``, ``SLIPWAY_CHECKPOINT_RESUME`` (``own``:
only from this job's), ``SLIPWAY_CHECKPOINT_PATIENCE_SECONDS``, ``SLIPWAY_JOB_UID``,
``SLIPWAY_MOST_NODES`` (the most pods that the group may have), and ``JOB_COMPLETION_INDEX``, the
pod's index (0).

The script may write anything where it saves. An announcement that is wrong costs its own save and
nothing else; where it says something that the pod knows itself, the pod is believed.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from slipway_pods import beneath
from slipway_pods.agent.answering import AnsweringServer, Send
from slipway_pods.agent.checkpoint_store import Archive, LostError
from slipway_pods.bring.bringing import say_why
from slipway_pods.store import credentials, store
from slipway_pods.store.manifest import MAX_FILES, OutputError
from slipway_runtime import strict
from slipway_runtime.checkpoint.files import (
    ANNOUNCEMENT,
    MAX_BYTES,
    MAX_NODES,
    SOCKET_NAME,
    Announcement,
    Ledger,
    Name,
    owner_of,
    write_ledger,
)
from slipway_runtime.control import agent_dir
from slipway_runtime.termination import say

PAUSE_SECONDS = 0.3
SHARED_UMASK = 0o002
"""Jobs of several users but one group keep their checkpoints in one claim."""
PEERS_SECONDS = 20.0
"""How long a pod that ends waits for its peers' parts of a save that was not made to end with."""


MAX_SAVES = 256
"""Most folders of saves that are looked at."""


@dataclass(frozen=True)
class Place:
    """Who this pod is among those that save: the owner in its saves' names, and its own index.

    ``nodes`` is the most that the job's group may have.
    """

    owner: str
    index: int = 0
    nodes: int = MAX_NODES


class Keeper:
    """Stores saves in the order in which they were announced."""

    def __init__(self, save_dir: Path, restore_dir: Path, archive: Archive, place: Place) -> None:
        self._save_dir = save_dir
        self._restore_dir = restore_dir
        self._archive = archive
        self._place = place
        self._refused: set[str] = set()
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
        fields = strict.Fields(request, "the request")
        command = fields.choice("command", ("newest", "fetch", "release"))
        if command == "newest":
            return self.newest(tell)
        name = fields.text("name", 64)
        if Name.parse(name) is None:
            raise ValueError("name of the request is no checkpoint's name")
        if command == "release":
            return self.release(name)
        return self.fetch(name, _paths(fields, request), tell)

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
        with beneath.Folder(self._save_dir) as saves:
            for name in saves.names(MAX_SAVES):
                said = self._read(saves, name)
                if said:
                    found.append((self._save_dir / name, said))
        return sorted(found, key=lambda one: one[1].began)

    def _read(self, saves: beneath.Folder, name: str) -> Announcement | None:
        """Return what is said of a save; None where it is stored, not whole, or not to be taken."""
        parsed = Name.parse(name)
        if parsed is None or name in self._ledger.stored or name in self._refused:
            return None
        try:
            data = saves.read(f"{name}/{ANNOUNCEMENT}", MAX_BYTES)
            said = Announcement.parse(strict.loads(data, MAX_BYTES), self._place.nodes)
            if said.name != name or parsed.owner != self._place.owner:
                raise ValueError("it is not this job's")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._refused.add(name)
            say(f"the save {name} is passed over, as its {ANNOUNCEMENT} is wrong: {error}")
            return None
        return replace(said, node=self._place.index)

    def _store(self, folder: Path, said: Announcement) -> None:
        try:
            self._archive.put(folder, said)
            self._stored(said.name)
            whole = self._archive.commit(said, lambda: self._waits_for(said)) if said.main else None
        except (store.StoreError, OutputError, OSError, ValueError) as error:
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


def _paths(fields: strict.Fields, request: Mapping[str, Any]) -> list[str] | None:
    """Return the paths that a request names; None for all."""
    if request.get("files") is None:
        return None
    paths = fields.items("files", MAX_FILES)
    if not all(isinstance(path, str) for path in paths):
        raise ValueError("files of the request are not all texts")
    return paths


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
    restore_dir = Path(env["SLIPWAY_RESTORE_DIR"])
    place = Place(
        owner_of(env.get("SLIPWAY_JOB_UID", "")),
        int(env.get("JOB_COMPLETION_INDEX", "0")),
        int(env.get("SLIPWAY_MOST_NODES", MAX_NODES)),
    )
    os.umask(SHARED_UMASK)
    keeper = Keeper(Path(env["SLIPWAY_CHECKPOINT_DIR"]), restore_dir, archive(env), place)
    signal.signal(signal.SIGTERM, keeper.end)
    signal.signal(signal.SIGINT, keeper.end)
    server = AnsweringServer(agent_dir(env) / SOCKET_NAME, keeper.answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keeper.work()
    return 0


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main())
