"""Refuses a package whose Python files TorchServe could not import, before anything is stored.

What of it is in the source is refused before the training, which it would cost otherwise: by the
container that brings the source, or by the launcher. Standard library only; no file is run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.checks import python_code
from slipway_runtime.checks.python_code import MAX_BYTES, CodeError, Module

INVALID_HANDLER = "InvalidHandler"
INVALID_MODEL_FILE = "InvalidModelFile"
INVALID_EXTRA_FILE = "InvalidExtraFile"
INVALID_EVALUATE = "InvalidEvaluate"
SERVER_PYTHON = (3, 11)
"""The Python of the server image: an older one does not know all that it may import."""


class PackageError(Exception):
    """No package can be made; ``reason`` is the constant for the termination message.

    ``log_tail`` has the last lines of a program that says more; empty for none.
    """

    def __init__(self, reason: str, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.log_tail = log_tail


def split_handler(name: str) -> tuple[str, str | None]:
    """Return the file and the function that a handler's ``NAME.py:function`` names, if any."""
    path, colon, function = name.rpartition(":")
    if colon and path.endswith(".py") and function.isidentifier():
        return path, function
    return name, None


def check_source(package: Mapping[str, Any], folder: Path) -> None:
    """Raise PackageError where a file of the source that a package names cannot be imported.

    What is not there is left to the packaging, since the script may write it.
    """
    if sys.version_info < SERVER_PYTHON:
        return
    name, function = split_handler(str(package.get("handler", "")))
    handler, model = _in_source(folder, name), _in_source(folder, package.get("modelFile"))
    if handler is not None or not name.endswith(".py"):
        check_code(handler or name, function, model)
    elif model is not None:
        _read(INVALID_MODEL_FILE, "modelFile", model)
    for each in package.get("extraFiles") or ():
        extra = _in_source(folder, each) if str(each).endswith(".py") else None
        if extra is not None:
            _read(INVALID_EXTRA_FILE, "extraFiles", extra)
    name, function = split_handler(str(package.get("evaluate") or ""))
    evaluate = _in_source(folder, name)
    if evaluate is not None:
        check_function(evaluate, function or "evaluate")


def check_function(path: Path, function: str) -> None:
    """Raise PackageError where the file of ``samples.evaluate`` certainly has no such function."""
    code = _read(INVALID_EVALUATE, "samples.evaluate", path)
    if code is not None and function not in code.names and not code.open_ended:
        there, first = code.told_functions, (*code.functions, "")[0][: python_code.MAX_NAME]
        other = f", or write {path.name}:{first}; it defines {there}" if there else ""
        message = (
            f"package.samples.evaluate {path.name!r} has no function {function}: define it{other}."
        )
        raise PackageError(INVALID_EVALUATE, message)


def _in_source(folder: Path, name: str | None) -> Path | None:
    """Return a file of the source; None for one that is not there, or that a link leads out to."""
    path = (folder / name).resolve() if name else folder
    inside = folder.resolve() in path.parents
    return path if inside and path.is_file() else None


def check_code(handler: Path | str, function: str | None, model_file: Path | None) -> None:
    """Raise PackageError where the handler's or the model's file certainly cannot be loaded.

    A handler that loads its model by itself may have a model file as it likes, as long as Python
    can import it.
    """
    loads = True
    if isinstance(handler, Path):
        code = _read(INVALID_HANDLER, "handler", handler)
        why = python_code.handler_problem(code, function, handler.name) if code else None
        _refuse(INVALID_HANDLER, "handler", handler, why)
        loads = code is not None and python_code.loads_model_file(code)
    if model_file is not None:
        model = _read(INVALID_MODEL_FILE, "modelFile", model_file)
        why = python_code.model_problem(model) if model and loads else None
        _refuse(INVALID_MODEL_FILE, "modelFile", model_file, why)


def _read(reason: str, field: str, path: Path) -> Module | None:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        return python_code.read(data)
    except CodeError as error:
        message = f"package.{field} {path.name!r} cannot be imported: {error}."
        raise PackageError(reason, message) from error


def _refuse(reason: str, field: str, path: Path, why: str | None) -> None:
    if why is not None:
        raise PackageError(reason, f"package.{field} {path.name!r} cannot be served: {why}.")
