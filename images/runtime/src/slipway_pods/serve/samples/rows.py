"""The file of samples that a training script leaves: requests that its model answers.

It has a JSON object a line: ``{"body": any JSON}`` for a request of ``application/json``, or
``{"base64": text, "contentType": text}`` for any other; 1 to 1000 of them, 8 MiB in all, and each
request of 6,553,500 bytes at most, so that a server takes it.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from slipway_runtime import strict

MAX_ROWS = 1000
MAX_BYTES = 8 * 1024 * 1024
MAX_BODY_BYTES = 6_553_500
"""Longest request of a row, in bytes: what a server takes where nobody says otherwise."""
MAX_CONTENT_TYPE = 256
"""Longest content type, in characters."""
JSON = "application/json"


class SamplesError(Exception):
    """What is read is none of samples or answers; the text says which row and why."""


@dataclass(frozen=True)
class Sample:
    """A request's body and what it is said to be."""

    body: bytes
    content_type: str = JSON

    @classmethod
    def read(cls, line: bytes) -> "Sample":
        """Return what a line says; raises ValueError."""
        return cls.of(strict.loads(line, MAX_BYTES))

    @classmethod
    def of(cls, told: Any) -> "Sample":
        """Return what an object says, whatever else it has; raises ValueError."""
        if not isinstance(told, dict) or ("body" in told) == ("base64" in told):
            raise ValueError("it is no object with either body or base64")
        if "body" in told:
            return cls(compact(told["body"]))
        kind = strict.Fields(told).text("contentType", MAX_CONTENT_TYPE)
        if not kind.isascii() or not kind.isprintable():
            raise ValueError("contentType cannot be printed")
        return cls(decoded(told["base64"]), kind)

    @property
    def told(self) -> dict[str, Any]:
        """The object that says it."""
        value = _json(self.body) if self.content_type == JSON else None
        if value is not None and compact(value) == self.body:
            return {"body": value}
        return {"base64": encoded(self.body), "contentType": self.content_type}


def _json(body: bytes) -> Any:
    """Return the value of a JSON text; None for null, and for what is no JSON."""
    try:
        return strict.loads(body, MAX_BYTES)
    except ValueError:
        return None


def compact(value: Any) -> bytes:
    """Return the shortest JSON text; raises ValueError for what is none, or nested too deeply."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def encoded(value: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(value).decode("ascii")


def decoded(text: Any) -> bytes:
    """Return the bytes of a base64 text; raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("base64 is no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"base64 cannot be decoded: {error}") from None


def read(data: bytes) -> list[Sample]:
    """Return the samples of a file; raises SamplesError."""
    if len(data) > MAX_BYTES:
        raise SamplesError(f"it is longer than {MAX_BYTES} bytes")
    lines = [line for line in data.splitlines() if line.strip()]
    if not 1 <= len(lines) <= MAX_ROWS:
        raise SamplesError(f"it has {len(lines)} rows: write 1 to {MAX_ROWS}")
    return [_numbered(number, line) for number, line in enumerate(lines, start=1)]


def _numbered(number: int, line: bytes) -> Sample:
    try:
        found = Sample.read(line)
    except ValueError as error:
        raise SamplesError(f"row {number}: {error}") from error
    if len(found.body) > MAX_BODY_BYTES:
        raise SamplesError(
            f"row {number}: its request has {len(found.body)} bytes, and {MAX_BODY_BYTES} is the "
            "most that a server takes by default: write a shorter one"
        )
    return found
