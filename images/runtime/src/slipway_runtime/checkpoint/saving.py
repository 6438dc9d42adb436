"""Saving: when, by all ranks together, beside the training, and told to the sidecar when whole."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from slipway_runtime import helper, readable
from slipway_runtime.checkpoint import content, files
from slipway_runtime.checkpoint.files import Announcement, Name
from slipway_runtime.checkpoint.settings import CheckpointError, Settings
from slipway_runtime.reporting import agreement

STOPPED = 143
"""Exit code of a script that has saved because the pod stops: 128 + SIGTERM."""

Writing = Callable[[Path], "Future[Any]"]
"""Begins to write a save into a folder; the future is done when all ranks' parts are written."""


class Interrupted(SystemExit):
    """The checkpoint is written and the pod stops: the script ends here, with code 143."""


class Saver:
    """The saves of one process, one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="slipway-checkpoint")
        self._task: Future[Any] | None = None
        self._name: str | None = None
        self._last_step = 0
        self._last_time = time.monotonic()
        if settings.leader:
            self._clear()
        self._called = time.monotonic()
        self._longest = -1.0
        self._tell_pace()

    def resumed(self, step: int) -> None:
        """Take the step that was restored as the last that was saved."""
        self._last_step, self._last_time = step, time.monotonic()

    def save(self, step: int, kind: str, write: Writing, *, force: bool = False) -> bool:
        """Save where it is due, forced, or the pod stops; tell whether a save was begun.

        Raises CheckpointError on all ranks where an earlier save was lost on any, and Interrupted
        once the save for a pod that stops is written.
        """
        due, busy, stopping = self._agree(step, force)
        if stopping:
            self._stop(step, kind, write)
        if not due or (busy and not force):
            return False
        self._begin(step, kind, write, final=False)
        return True

    def due(self, step: int) -> bool:
        """Tell on all ranks whether `save` would save now."""
        due, busy, stopping = self._agree(step, False)
        return stopping or (due and not busy)

    def _agree(self, step: int, force: bool) -> tuple[bool, bool, bool]:
        """Return whether a save is due, another is on its way, and the pod stops, on any rank."""
        self._tell_pace()
        due, busy, stopping, failed = agreement.any_of(
            force or self._due(step), self._busy(), self._stopping(), bool(self._failure())
        )
        if failed:
            raise CheckpointError(self._failure() or "The checkpoint of another process was lost.")
        return due, busy, stopping

    def finish(self) -> None:
        """Wait until the save that is being written is whole on all ranks."""
        task, self._task = self._task, None
        error = task.exception() if task else None
        (failed,) = agreement.any_of(error is not None)
        if failed:
            raise CheckpointError(f"The checkpoint was not written: {error or 'see other ranks'}.")

    def _stop(self, step: int, kind: str, write: Writing) -> None:
        """Save what is not saved yet, and end the process."""
        if self._settings.leader:
            (self._settings.run_dir / files.SAVING).touch()
        self.finish()
        if step > self._last_step:
            self._begin(step, kind, write, final=True)
            self.finish()
        if self._settings.leader:
            (self._settings.run_dir / files.SAVED).touch()
        agreement.any_of(False)
        raise Interrupted(STOPPED)

    def _begin(self, step: int, kind: str, write: Writing, *, final: bool) -> None:
        self.finish()
        if self._settings.leader:
            self._take_away_what_is_stored()
        name = agreement.from_main(str(Name(step, self._settings.owner, secrets.token_hex(4))))
        folder = self._settings.save_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        self._name, self._last_step, self._last_time = name, step, time.monotonic()
        announcement = self._announcement(name, step, kind, final=final)
        written = write(folder)
        self._task = self._pool.submit(self._complete, written, folder, announcement)

    def _complete(self, written: Future[Any], folder: Path, announcement: Announcement) -> None:
        written.result()
        if self._settings.leader:
            readable.share(folder)
            files.announce(folder, announcement)

    def _announcement(self, name: str, step: int, kind: str, *, final: bool) -> Announcement:
        state = {"stop": helper.reporter().stopper.state()}
        own = self._settings
        return Announcement(
            name, step, kind, own.node, own.nodes, own.rank == 0, final, time.time(), state
        )

    def _tell_pace(self) -> None:
        """Tell the launcher how long it may take until the script hears that the pod stops."""
        now = time.monotonic()
        pause, self._called = now - self._called, now
        if self._settings.leader and pause > self._longest:
            self._longest = pause
            files.write_json(self._settings.run_dir / files.SAVES, pause)

    def _due(self, step: int) -> bool:
        """Tell whether the interval is over, by rank 0's clock."""
        own = self._settings
        if own.rank != 0 or step <= self._last_step:
            return False
        if own.interval_steps is not None:
            return step // own.interval_steps > self._last_step // own.interval_steps
        seconds = own.interval_seconds
        return seconds is not None and time.monotonic() - self._last_time >= seconds

    def _busy(self) -> bool:
        """Tell whether the save before is still written, or on its way to the store."""
        if self._task is not None and not self._task.done():
            return True
        if not self._settings.leader or self._name is None:
            return False
        return self._name not in files.read_ledger(self._settings.restore_dir).stored

    def _stopping(self) -> bool:
        return (self._settings.run_dir / files.STOPPING).exists()

    def _failure(self) -> str | None:
        if self._task is not None and self._task.done() and self._task.exception():
            return f"The checkpoint was not written: {self._task.exception()}."
        return files.read_ledger(self._settings.restore_dir).failure

    def _take_away_what_is_stored(self) -> None:
        for name in files.read_ledger(self._settings.restore_dir).stored:
            shutil.rmtree(self._settings.save_dir / name, ignore_errors=True)

    def _clear(self) -> None:
        """Take away what an earlier process of this pod left half-written."""
        for folder in self._settings.save_dir.glob("step-*"):
            if files.announced(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)


def write_state(state: Mapping[str, Any], settings: Settings) -> Writing:
    """Return what writes a state with Torch Distributed Checkpoint, each rank its own shards.

    The state is copied before this returns to the training; the writing goes on beside it.
    """

    def write(folder: Path) -> Future[Any]:
        import torch.distributed.checkpoint as dcp

        whole = content.gather(state)
        whole[content.random_key(settings.rank, settings.size)] = content.random_state()
        options: dict[str, Any] = (
            {"no_dist": True}
            if agreement.alone()
            else {"process_group": agreement.group("checkpoints")}
        )
        begun = dcp.async_save(whole, storage_writer=dcp.FileSystemWriter(folder), **options)
        future: Future[Any] = getattr(begun, "upload_completion", begun)
        return future

    return write


def write_files(put: Callable[[Path], None], settings: Settings) -> Writing:
    """Return what lets the script write files of its own into a save, on all ranks."""

    def write(folder: Path) -> Future[Any]:
        done: Future[Any] = Future()
        error: Exception | None = None
        try:
            put(folder)
        except Exception as raised:
            error = raised
        (failed,) = agreement.any_of(error is not None)
        if failed:
            done.set_exception(error or CheckpointError("another rank could not write its files"))
        else:
            done.set_result(None)
        return done

    return write
