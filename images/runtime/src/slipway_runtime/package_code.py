"""Refuses a package whose Python files TorchServe could not import, before anything is stored."""

from pathlib import Path

from slipway_runtime import python_code
from slipway_runtime.package_files import PackageError
from slipway_runtime.python_code import MAX_BYTES, CodeError, Module

INVALID_HANDLER = "InvalidHandler"
INVALID_MODEL_FILE = "InvalidModelFile"


def check_code(handler: Path | str, function: str | None, model_file: Path | None) -> None:
    """Raise PackageError where the handler's or the model's file certainly cannot be loaded.

    A handler that loads its model by itself may have a model file as it likes, as long as Python
    can import it.
    """
    loads = True
    if isinstance(handler, Path):
        code = _read(INVALID_HANDLER, "handler", handler)
        why = python_code.handler_problem(code, function) if code else None
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
