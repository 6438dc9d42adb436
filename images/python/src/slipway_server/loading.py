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
    name: f"ts.torch_handler.{name}"
    for name in (
        "base_handler",
        "image_classifier",
        "image_segmenter",
        "object_detector",
        "text_classifier",
    )
}
ENVELOPES = {
    "body": "BodyEnvelope",
    "json": "JSONEnvelope",
    "kserve": "KServeEnvelope",
    "kservev2": "KServev2Envelope",
}
"""TorchServe's envelopes, by what its `service_envelope` calls them."""


def load(folder: Path, handler: str, context: Any, envelope: str = "") -> Entry:
    """Return what answers a batch, ready to be called.

    ``handler`` is a manifest's: FILE.py, FILE.py:FUNCTION, a path without ``.py``, or a built-in
    name. A file of the archive goes before a built-in one. Errors of the handler's own are raised
    as they are. ``envelope`` names the one of `ENVELOPES` that its inputs and answers come in.
    """
    name, _, function = handler.partition(":")
    module = _import(folder, name)
    named = getattr(module, function or "handle", None)
    if function and not callable(named):
        raise ArchiveError(f"The handler {name} has no function {function}.")
    if inspect.isfunction(named):
        named(None, context)
        return _in_envelope(named, envelope)
    instance = _class(module, name)()
    entry = instance.handle  # before initialize, as TorchServe does: it may have set another
    instance.initialize(context)
    return _in_envelope(entry, envelope)


def _in_envelope(entry: Entry, envelope: str) -> Entry:
    if not envelope:
        return entry
    module = importlib.import_module(f"ts.torch_handler.request_envelope.{envelope}")
    wrapped: Entry = getattr(module, ENVELOPES[envelope])(entry).handle
    return wrapped


def _import(folder: Path, name: str) -> ModuleType:
    path = Path(name if name.endswith(".py") else f"{name}.py")
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"The handler {name} lies outside of the archive.")
    for place in dict.fromkeys((folder, (folder / path).parent)):
        sys.path.insert(0, str(place))  # a built-in handler imports the archive's model file
    if (folder / path).is_file():
        return importlib.import_module(path.stem)
    if name not in BUILT_IN:
        raise ArchiveError(
            f"The archive has no handler {name}, and none is built in by that name: "
            f"{', '.join(sorted(BUILT_IN))} are."
        )
    return importlib.import_module(BUILT_IN[name])


def _class(module: ModuleType, name: str) -> type:
    classes = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__
    ]
    complete = [
        cls
        for cls in classes
        if callable(getattr(cls, "handle", None)) and callable(getattr(cls, "initialize", None))
    ]
    own = complete or classes  # the only one may set its handle when it is made
    if len(own) != 1:
        found = ", ".join(sorted(cls.__name__ for cls in own)) or "none"
        raise ArchiveError(
            f"The handler {name} has neither a function handle nor exactly one class with "
            f"initialize and handle: {found}."
        )
    return own[0]
