"""Finding an archive's handler: a function or a class in a file of its own, or a built-in one."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from slipway_server.errors import ArchiveError

Entry = Callable[[Any, Any], Any]
"""Takes a batch (a list of dicts, or None for the first call of a function) and the context."""

BUILT_IN = {
    "image_classifier": "ts.torch_handler.image_classifier",
    "base_handler": "ts.torch_handler.base_handler",
}


def load(folder: Path, handler: str, context: Any) -> Entry:
    """Return what answers a batch, ready to be called.

    ``handler`` is a manifest's: FILE.py, FILE.py:FUNCTION, a path without ``.py``, or a built-in
    name. A file of the archive goes before a built-in one. Errors of the handler's own are raised
    as they are.
    """
    name, _, function = handler.partition(":")
    module = _import(folder, name)
    named = getattr(module, function or "handle", None)
    if function and not callable(named):
        raise ArchiveError(f"The handler {name} has no function {function}.")
    if inspect.isfunction(named):
        named(None, context)
        return named
    instance = _class(module, name)()
    instance.initialize(context)
    entry: Entry = instance.handle
    return entry


def _import(folder: Path, name: str) -> ModuleType:
    path = Path(name if name.endswith(".py") else f"{name}.py")
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"The handler {name} lies outside of the archive.")
    if (folder / path).is_file():
        sys.path.insert(0, str(folder / path.parent))
        return importlib.import_module(path.stem)
    if name not in BUILT_IN:
        raise ArchiveError(
            f"The archive has no handler {name}, and none is built in by that name: "
            f"{', '.join(sorted(BUILT_IN))} are."
        )
    return importlib.import_module(BUILT_IN[name])


def _class(module: ModuleType, name: str) -> type:
    own = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__
        and callable(getattr(cls, "handle", None))
        and callable(getattr(cls, "initialize", None))
    ]
    if len(own) != 1:
        found = ", ".join(sorted(cls.__name__ for cls in own)) or "none"
        raise ArchiveError(
            f"The handler {name} has neither a function handle nor exactly one class with "
            f"initialize and handle: {found}."
        )
    return own[0]
