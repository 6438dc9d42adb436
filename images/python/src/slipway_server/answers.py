"""What a handler is asked, and what of its answer is sent, as TorchServe 0.12 has both.

Reference: ts/protocol/otf_message_handler.py and ts/service.py of TorchServe, by what they do.
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
_MOST_HEADERS = 100


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
    """A handler's answer cannot be sent; the text says what is wrong with it."""


def error(status: int, kind: str, message: str) -> Answer:
    """Return an error as TorchServe writes it."""
    body = {"code": status, "type": kind, "message": message}
    text = json.dumps(body, indent=2) + "\n"
    return Answer(status, text.encode(), (("content-type", "application/json"),))


def encoded(value: Any, most: int) -> bytes:
    """Return a value as it is sent: bytes, text, a tensor by torch.save, and JSON for the rest."""
    if isinstance(value, bytes | bytearray | memoryview):
        body = bytes(value)
    elif isinstance(value, str):
        body = _text(value)
    elif _is_tensor(value):
        body = _saved(value)
    else:
        body = _json(value)
    if len(body) > most:
        raise InvalidAnswer(f"The answer has {len(body)} bytes, more than {most}.")
    return body


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidAnswer("The answer has half a surrogate pair, which is no text.") from None


def _json(value: Any) -> bytes:
    try:
        return _text(json.dumps(value, indent=2))
    except (TypeError, ValueError, RecursionError) as problem:
        raise InvalidAnswer(f"The answer is no JSON: {problem}.") from None


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    sys.modules["torch"].save(value, buffer)
    return buffer.getvalue()


def headers(told: Mapping[Any, Any], kind: str | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that a handler has set, its content type first."""
    pairs = [("content-type", kind)] if kind else []
    for name, value in list(told.items())[:_MOST_HEADERS]:
        text = str(value)
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name) or _CONTROL.search(text):
            raise InvalidAnswer(f"The answer's header {str(name)[:80]!r} cannot be sent.")
        if name.lower() not in _OWN:
            pairs.append((name, text))
    return tuple(pairs)


_OWN = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers of the connection, which is the server's."""
