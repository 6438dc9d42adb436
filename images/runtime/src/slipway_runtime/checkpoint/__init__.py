"""Checkpoints of a training: ``slipway.checkpoint.save`` and ``restore``.

    state = {"model": model, "optimizer": optimizer}
    begin = slipway.checkpoint.restore(state)      # 0 where there is none
    for step in range(begin + 1, steps + 1):
        ...
        slipway.checkpoint.save(step, state)       # where spec.checkpoint says that it is due

All functions are collective calls: every rank calls them, in the same order. Outside Slipway, and
without ``spec.checkpoint``, nothing is saved or restored. Importing this costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from slipway_runtime.checkpoint import restoring, saving
from slipway_runtime.checkpoint.saving import Interrupted, Saver
from slipway_runtime.checkpoint.settings import CheckpointError, Settings

__all__ = [
    "CheckpointError",
    "Interrupted",
    "due",
    "finish",
    "restore",
    "restore_files",
    "save",
    "save_files",
]

_saver: Saver | None = None


def save(step: int, state: Mapping[str, Any], *, force: bool = False) -> bool:
    """Save the state after a step, if it is due by ``spec.checkpoint``; tell whether it was.

    The state maps names to modules, optimizers, anything with ``state_dict`` and
    ``load_state_dict``, and plain values or tensors. The random number generators of each rank are
    saved beside it. The state is copied, and written and stored while the training goes on; while
    one save is on its way the next waits for another step. ``force`` saves in any case, after the
    one before is written.

    Once the pod is told to stop, the call saves at once and ends the process with code 143: raise
    of `Interrupted`, a SystemExit. Raises CheckpointError where an earlier save was lost, such as
    in a store that is full.
    """
    settings = Settings.from_environment()
    if settings is None:
        return False
    return _saves(settings).save(step, "dcp", saving.write_state(state, settings), force=force)


def save_files(step: int, put: Callable[[Path], None], *, force: bool = False) -> bool:
    """Save files that ``put`` writes into a folder, on all ranks, if a save is due.

    For frameworks with a format of their own. Files of the same name on several nodes are kept
    from the first node. Otherwise as `save`.
    """
    settings = Settings.from_environment()
    if settings is None:
        return False
    return _saves(settings).save(step, "folder", saving.write_files(put, settings), force=force)


def due(step: int) -> bool:
    """Tell whether a save is due after a step, or the pod stops; the same on all ranks.

    For scripts that prepare a save before they make it, with ``force``. Raises CheckpointError
    where an earlier save was lost.
    """
    settings = Settings.from_environment()
    return settings is not None and _saves(settings).due(step)


def restore(state: MutableMapping[str, Any]) -> int:
    """Put the newest valid checkpoint into a state, and return its step; 0 where there is none.

    It may come from another number of processes. Modules, optimizers and what has
    ``load_state_dict`` are changed in place, plain values replaced. Raises CheckpointError where
    the checkpoint cannot be had.
    """
    settings = Settings.from_environment()
    found = restoring.newest(settings) if settings else None
    if settings is None or found is None:
        return 0
    if found["kind"] != "dcp":
        raise CheckpointError(
            f"The checkpoint {found['name']} holds files, not a state: use restore_files()."
        )
    restoring.load(state, settings, found)
    return _resumed(settings, found)


def restore_files() -> tuple[int, Path | None]:
    """Bring the files of the newest checkpoint to this node; return its step and their folder.

    (0, None) where there is none. The folder can only be read, and stays until the pod ends.
    """
    settings = Settings.from_environment()
    found = restoring.newest(settings) if settings else None
    if settings is None or found is None:
        return 0, None
    folder = restoring.fetch(settings, found["name"], None)
    _saves(settings).resumed(int(found["step"]))
    restoring.resume_stopper(found)
    return int(found["step"]), folder


def finish() -> None:
    """Wait until the last save is written on all ranks; the sidecar stores it in any case.

    It makes no save itself: `save` with ``force`` keeps a last step that was not due.
    """
    if _saver is not None:
        _saver.finish()


def _saves(settings: Settings) -> Saver:
    global _saver
    if _saver is None:
        _saver = Saver(settings)
    return _saver


def _resumed(settings: Settings, found: Mapping[str, Any]) -> int:
    step = int(found["step"])
    restoring.release(settings, str(found["name"]))
    restoring.resume_stopper(found)
    _saves(settings).resumed(step)
    return step
