"""Exceptions of handlers: which blame the request, and what TorchServe 0.12 can answer with."""

from typing import Any, cast

from slipway_runtime.handler import BadRequest

_SERVER_ERROR = 500


def refusal_code(error: BaseException) -> int | None:
    """Return the code from 400 to 499 of an exception that blames the request; None for others.

    ts.utils.util.PredictionException is TorchServe's own way, with 500 where it has no code.
    """
    if isinstance(error, BadRequest):
        return error.code
    code = getattr(error, "error_code", None) if _prediction_exception(error) else None
    return int(code) if isinstance(code, int) and 400 <= code <= 499 else None


def _prediction_exception(error: BaseException) -> type | None:
    """Return TorchServe's own class where an exception is of it; its handlers may derive others."""
    classes = type(error).__mro__
    return next((one for one in classes if one.__name__ == "PredictionException"), None)


def tellable(error: BaseException) -> Exception:
    """Return an exception that TorchServe can answer with, such as the given one.

    It asks each for its text, and its own one for a message and a code, where nobody catches what
    is raised, and it lets pass what is no Exception: all that would end the worker.
    """
    if (own := _prediction_exception(error)) is not None:
        code = getattr(error, "error_code", None)
        known = int(code) if isinstance(code, int) and 400 <= code <= 599 else _SERVER_ERROR
        made = own(text_of(getattr(error, "message", error)), known)
        return cast("Exception", made)
    if isinstance(error, Exception) and text_of(error) != _no_text(error):
        return error
    return RuntimeError(f"The handler raised {type(error).__name__}.")


def text_of(value: Any) -> str:
    """Return a text that can be sent for anything; its own way to show itself may fail."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:
        return _no_text(value)


def _no_text(value: Any) -> str:
    return f"a {type(value).__name__} without a text"
