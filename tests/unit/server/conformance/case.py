"""An archive, what it is asked, and what of its answers is compared."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
BOUNDARY = "frontier"


@dataclass(frozen=True)
class Asked:
    """One request; ``tail`` follows the model's path, which is below ``door``."""

    body: bytes = b""
    kind: str | None = JSON
    tail: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    door: str = "predictions"

    def all_headers(self) -> dict[str, str]:
        return {**({"content-type": self.kind} if self.kind else {}), **self.headers}


@dataclass(frozen=True)
class Told:
    """What of an answer is compared."""

    status: int
    kind: str | None
    extra: str | None
    body: bytes

    def stored(self) -> dict[str, Any]:
        try:
            body = {"text": self.body.decode()}
        except UnicodeDecodeError:
            body = {"base64": base64.b64encode(self.body).decode()}
        return {"status": self.status, "kind": self.kind, "extra": self.extra, **body}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Told":
        text = stored.get("text")
        body = base64.b64decode(stored["base64"]) if text is None else text.encode()
        return cls(stored["status"], stored["kind"], stored["extra"], body)


@dataclass(frozen=True)
class Case:
    """An archive, and what it is asked, in this order or at once.

    ``config`` is its model-config.yaml, ``envelope`` is TorchServe's `service_envelope`, and
    ``made`` are those of its files that `weights.py` makes where torch is.
    """

    about: str
    files: Mapping[str, str]
    asked: Sequence[Asked]
    handler: str = "handler.py"
    config: str = ""
    model: Mapping[str, str] = field(default_factory=dict)
    made: Sequence[str] = ()
    envelope: str = ""
    is_at_once: bool = False


def as_json(value: Any) -> Asked:
    return Asked(json.dumps(value).encode())


def form(*parts: tuple[str, str, bytes]) -> Asked:
    """Return a form of parts: the headers after the name, a type or "", and the value."""
    body = b""
    for name, kind, value in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        head += '; filename="f"' if kind else ""
        head += f"\r\nContent-Type: {kind}" if kind else ""
        body += f"{head}\r\n\r\n".encode() + value + b"\r\n"
    return Asked(body + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}")
