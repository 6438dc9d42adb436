"""Reading a checkpoint as what it should be: tensors and plain values, never code.

Whoever can write to the place of the checkpoints could otherwise run a program in the pod that
resumes: a pickle names the functions that it calls. Here it may name the classes of a checkpoint's
own description and nothing else, and values are read with ``weights_only``. A script that saves
values of classes of its own says so with ``torch.serialization.add_safe_globals``.
"""

from __future__ import annotations

import contextlib
import enum
import io
import pathlib
import pickle
from collections.abc import Iterator
from typing import Any

from slipway_runtime.checkpoint.settings import CheckpointError

MAX_METADATA_BYTES = 1024 * 1024 * 1024
"""Longest description of a checkpoint."""

_ALLOWED = {
    "collections": {"OrderedDict"},
    "torch.distributed.checkpoint.metadata": {
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size"},
}
"""The classes that a description is made of, by their modules; dtypes of torch come beside them."""
_MEMBER = ("builtins", "getattr")
"""What Python 3.11 names where a description holds a member of an enumeration."""
_PATHS = {"Path", "PosixPath", "PurePath", "PurePosixPath"}


class DescriptionUnpickler(pickle.Unpickler):
    """Reads a checkpoint's description; raises UnpicklingError for all that is not in one.

    A pickle may also set attributes of what it names (BUILD): classes are left as they were.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._named: dict[type, dict[str, Any]] = {}

    def load(self) -> Any:
        """Return what is described."""
        try:
            return super().load()
        finally:
            changed = [found for found, was in self._named.items() if _restored(found, was)]
            if changed:
                raise pickle.UnpicklingError(f"it changes the class {changed[0].__name__}")

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that a description may name."""
        if module in ("pathlib", "pathlib._local") and name in _PATHS:
            return _path
        if (module, name) == _MEMBER:
            return _member
        if name in _ALLOWED.get(module, ()):
            found = super().find_class(module, name)
            if isinstance(found, type):
                self._named.setdefault(found, dict(vars(found)))
            return found
        if module == "torch":
            import torch

            constant = getattr(torch, name, None)
            if isinstance(constant, (torch.dtype, torch.layout)):
                return constant
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _restored(found: type, was: dict[str, Any]) -> bool:
    """Give a class the attributes back that it had; tell whether it had others."""
    now = dict(vars(found))
    changed = [name for name in {*was, *now} if now.get(name) is not was.get(name)]
    for name in changed:
        if name in was:
            setattr(found, name, was[name])
        else:
            delattr(found, name)
    return bool(changed)


def _path(*parts: str) -> pathlib.PurePosixPath:
    """Return a path: what a description names the classes of paths for."""
    return pathlib.PurePosixPath(*parts)


def _member(enumeration: Any, name: Any) -> enum.Enum:
    """Return a member of an enumeration by its name: all that ``getattr`` is wanted for here."""
    if not (isinstance(enumeration, type) and issubclass(enumeration, enum.Enum)):
        raise pickle.UnpicklingError("it names an attribute of what is no enumeration")
    return enumeration.__members__[name]


def read_description(path: pathlib.Path) -> Any:
    """Return the ``.metadata`` of a checkpoint; raises CheckpointError for what is none."""
    from torch.distributed.checkpoint.metadata import Metadata

    try:
        with path.open("rb") as file:
            found = DescriptionUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise _refused("its description cannot be read", error) from error
    except (ImportError, IndexError, KeyError, RecursionError, MemoryError) as error:
        raise _refused("its description cannot be read", error) from error
    if not isinstance(found, Metadata):
        raise _refused("its description is none", TypeError(type(found).__name__))
    return found


def planner() -> Any:
    """Return a planner of torch's that reads plain values without running anything."""
    import torch.distributed.checkpoint as dcp

    class ValuesPlanner(dcp.DefaultLoadPlanner):  # type: ignore[misc]
        """torch's own, whose plain values may be anything that a pickle calls."""

        def load_bytes(self, read_item: Any, value: io.BytesIO) -> None:
            """Take one value in."""
            key = read_item.dest_index.fqn
            super().load_bytes(read_item, _safe(key, value))

    return ValuesPlanner()


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Raise the CheckpointError of a rank in place of torch's exception around it."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        yield
    except CheckpointException as error:
        for reason, _ in error.failures.values():
            if isinstance(reason, CheckpointError):
                raise CheckpointError(str(reason)) from error
        raise


def _safe(key: str, value: io.BytesIO) -> io.BytesIO:
    """Return a value's bytes once they are read without running anything."""
    import torch

    try:
        torch.load(value, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"The checkpoint is refused: its value {key!r} is no plain value. Where its class is "
            "the script's own, allow it with torch.serialization.add_safe_globals."
        ) from error
    value.seek(0)
    return value


def _refused(why: str, error: Exception) -> CheckpointError:
    told = " ".join(str(error).split())[:200] or type(error).__name__
    return CheckpointError(f"The checkpoint is refused: {why} ({told}).")
