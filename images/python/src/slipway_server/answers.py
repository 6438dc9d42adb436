"""What a handler is asked, and what of its answer is sent, as TorchServe 0.12 has both.

Reference: ts/protocol/otf_message_handler.py and ts/service.py of TorchServe, by what they do. What
is added, content types and errors in place of answers that cannot be sent, holds in TorchServe's
workers too: Slipway's TorchServe image has this module, which needs the standard library alone.
"""

import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
"""RFC 9110, 5.1: a token."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MOST_HEADERS, MOST_HEADER_BYTES = 80, 32 * 1024
"""How many headers an answer may have, and how long they are together: Envoy takes 100, its own
among them, and clients take less than it."""
_JSON_CANNOT = {
    "Out of range float": "NaN or an infinite number",
    "Circular reference": "itself in itself",
}
"""What Python says of a value that is no JSON, and what that means."""


@dataclass(frozen=True)
class Answer:
    """One request's answer: status, reason phrase, headers in order, and body."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    phrase: str = ""


@dataclass(frozen=True)
class Field:
    """One input of a request: its name, its type, its headers, and its bytes."""

    name: str
    kind: str
    value: bytearray
    headers: Mapping[str, str] = field(default_factory=dict)

    def decoded(self) -> Any:
        """Return a JSON value for application/json, text for text/*, else the bytes."""
        kind = self.kind.partition(";")[0].strip().lower()
        if kind == "application/json":
            try:
                return json.loads(self.value)
            except (ValueError, RecursionError):
                return self.value
        if kind.startswith("text"):
            try:
                return self.value.decode()
            except UnicodeDecodeError:
                return self.value
        return self.value


class InvalidAnswer(Exception):  # noqa: N818 - what a handler gave
    """A handler's answer cannot be sent; the text is one sentence that says what is wrong."""


def error(status: int, kind: str, message: str) -> Answer:
    """Return an error as TorchServe writes it."""
    body = {"code": status, "type": kind, "message": text_of(message)}
    return Answer(status, json.dumps(body, indent=2).encode() + b"\n", (_JSON_TYPE,))


def invalid(problem: InvalidAnswer) -> Answer:
    """Return the error for an answer that cannot be sent."""
    return error(500, "InvalidAnswer", str(problem))


def check_shape(given: Any, count: int) -> None:
    """Raise ``InvalidAnswer`` for what is no list with one answer for each request."""
    if not isinstance(given, list):
        what = type(given).__name__
        raise InvalidAnswer(
            f"The handler returned a {what}: return a list with one answer for each request."
        )
    if len(given) != count:
        raise InvalidAnswer(
            f"The handler returned {len(given)} answers to {count} requests: return a list with "
            "one answer for each request."
        )


def encoded(value: Any, most: int) -> tuple[bytes, str]:
    """Return a value as it is sent, and its content type; raises ``InvalidAnswer``.

    Bytes are the handler's own; a tensor is saved by torch.save; all but text is JSON for the rest,
    where NumPy's numbers and arrays are what they hold.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        body, kind = bytes(value), ""
    elif isinstance(value, str):
        body, kind = _text(value), "text/plain; charset=utf-8"
    elif _is_tensor(value):
        body, kind = _saved(value), "application/octet-stream"
    else:
        body, kind = _text(_json(value)), "application/json"
    if len(body) > most:
        raise InvalidAnswer(
            f"The handler's answer is {len(body)} bytes long, and maxResponseBytes is {most}."
        )
    return body, kind


def _text(value: str) -> bytes:
    try:
        return str.encode(value)
    except UnicodeEncodeError as problem:
        raise InvalidAnswer(
            f"The handler's answer is no text that can be sent: {problem.reason} at "
            f"{problem.start}."
        ) from problem


def _json(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, allow_nan=False, default=_plain)
    except Exception as problem:  # a value's own class may raise anything
        why = text_of(problem)
        for words, what in _JSON_CANNOT.items():
            if words in why:
                text = f"The handler's answer holds {what}, which JSON cannot say."
                raise InvalidAnswer(text) from problem
        raise InvalidAnswer(f"The handler's answer is no JSON: {why}.") from problem


def text_of(value: Any) -> str:
    """Return a text that can be sent for anything; its own way to show itself may fail."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:
        return f"a {type(value).__name__} without a text"


def _plain(value: Any) -> Any:
    """Return what an array or a number of another library holds; raises TypeError for others."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} in it is neither number, text, list nor dict")


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    sys.modules["torch"].save(value, buffer)
    return buffer.getvalue()


def headers(told: Mapping[Any, Any], kind: str) -> tuple[tuple[str, str], ...]:
    """Return the headers that a handler has set, with its answer's type where it has set none."""
    pairs: list[tuple[str, str]] = []
    for name, value in list(told.items()):
        text = str(value) if isinstance(value, int | float) else value
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidAnswer(f"The handler set a header named {name!r:.80}.")
        if not isinstance(text, str) or not text.isascii() or _CONTROL.search(text):
            raise InvalidAnswer(
                f"The handler set the header {name} to {value!r:.80}: set a line of ASCII text."
            )
        if name.lower() not in _OWN:
            pairs.append((name, text))
    size = sum(len(name) + len(value) for name, value in pairs)
    if len(pairs) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        raise InvalidAnswer(
            f"The handler set {len(pairs)} headers of {size} bytes in all: set {MOST_HEADERS} of "
            f"{MOST_HEADER_BYTES} bytes at most, and put the rest into the answer."
        )
    if kind and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.insert(0, ("content-type", kind))
    return tuple(pairs)


def checked(status: Any) -> int:
    """Return a status that a handler has set, if it is one; raises ``InvalidAnswer``."""
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise InvalidAnswer(
            f"The handler set the status {status!r:.80}: set a number, such as 400."
        )
    return status


_JSON_TYPE = ("content-type", "application/json")
_OWN = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers of the connection, which is the server's (RFC 9110, 7.6.1)."""
