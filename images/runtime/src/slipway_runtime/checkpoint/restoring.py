"""Restoring: the newest valid checkpoint, of whose files each node fetches what its ranks read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from slipway_runtime import control, helper
from slipway_runtime.checkpoint import content, reading
from slipway_runtime.checkpoint.settings import CheckpointError, Settings
from slipway_runtime.reporting import agreement

PATIENCE_SECONDS = 60.0
"""How long the sidecar may be out of reach: it may have been restarted."""
MAX_BREAKS = 5
"""How often it may break off: each time it fetches all files anew."""


def ask(settings: Settings, request: Mapping[str, Any]) -> Any:
    """Ask the sidecar, and return its ``result``; raises CheckpointError where there is none."""
    try:
        answer = control.ask(settings.socket, request, PATIENCE_SECONDS, most_breaks=MAX_BREAKS)
        return answer.get("result")
    except control.RefusedError as error:
        raise CheckpointError(str(error)) from error
    except control.SilentError as error:
        raise CheckpointError(f"The checkpoint cannot be restored: {error}") from error


def newest(settings: Settings) -> Any:
    """Return the newest checkpoint, ``{"name", "step", "kind", "state", "files"}``, or None.

    All ranks get the one that rank 0's sidecar names; before a process group is set up, each asks.
    """
    found: Any = None
    if settings.rank == 0 or agreement.alone():
        try:
            found = {"checkpoint": ask(settings, {"command": "newest"})}
        except CheckpointError as error:
            found = {"error": str(error)}
    found = agreement.from_main(found)
    if "error" in found:
        raise CheckpointError(found["error"])
    return found["checkpoint"]


def fetch(settings: Settings, name: str, paths: Iterable[str] | None) -> Path:
    """Have files of a checkpoint brought to this node (None: all), and return their folder."""
    wanted = None if paths is None else sorted(paths)
    ask(settings, {"command": "fetch", "name": name, "files": wanted})
    return settings.restore_dir / name


def release(settings: Settings, name: str) -> None:
    """Let the sidecars take the fetched files away, once all ranks are done with them."""
    agreement.any_of(False)
    if settings.leader:
        ask(settings, {"command": "release", "name": name})


def load(state: MutableMapping[str, Any], settings: Settings, found: Mapping[str, Any]) -> None:
    """Put a checkpoint into a state, whatever the number of processes that wrote it."""
    import torch.distributed.checkpoint as dcp

    reader = _reader(settings, str(found["name"]))
    whole = content.gather(state)
    key = content.random_key(settings.rank, settings.size)
    known = reader.read_metadata().state_dict_metadata
    if key in known:
        import torch

        whole[key] = torch.empty(known[key].size, dtype=torch.uint8)
    options: dict[str, Any] = (
        {"no_dist": True}
        if agreement.alone()
        else {"process_group": agreement.group("checkpoints")}
    )
    with reading.told_plainly():
        dcp.load(whole, storage_reader=reader, planner=reading.planner(), **options)
    content.apply(state, whole)
    if key in known:
        content.set_random_state(whole[key])


def resume_stopper(found: Mapping[str, Any]) -> None:
    """Let ``spec.stop`` count on from where the checkpoint was."""
    state = (found.get("state") or {}).get("stop")
    if isinstance(state, dict):
        helper.reporter().stopper.restore(state)


def _reader(settings: Settings, name: str) -> Any:
    """Return a reader that fetches the files of a plan before it reads them."""
    import torch.distributed.checkpoint as dcp

    class FetchingReader(dcp.FileSystemReader):  # type: ignore[misc]
        """Torch's reader of folders, on a folder that is filled by need."""

        def read_metadata(self, *_: Any, **__: Any) -> Any:
            """Return the checkpoint's description, read as data."""
            from torch.distributed.checkpoint import metadata

            found = reading.read_description(Path(self.path) / ".metadata")
            if getattr(found, "storage_meta", None) is None and hasattr(metadata, "StorageMeta"):
                found.storage_meta = metadata.StorageMeta()
            if hasattr(self, "load_id"):
                found.storage_meta.load_id = self.load_id
            return found

        def read_data(self, plan: Any, planner: Any) -> Any:
            """Fetch what this rank reads, then read it."""
            paths = {self.storage_data[item.storage_index].relative_path for item in plan.items}
            if paths:
                fetch(settings, name, paths)
            return super().read_data(plan, planner)

    return FetchingReader(fetch(settings, name, [".metadata"]))
