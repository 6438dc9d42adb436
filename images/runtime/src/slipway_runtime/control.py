"""The sockets between the trainer container and its sidecar, as the trainer sees them.

The trainer sends one JSON line, such as ``{"command": "upload"}``. The sidecar answers with JSON
lines: ``{"event": "working", "message": "..."}`` any number of times, then ``{"event": "done"}``
with what it was asked for, or ``{"event": "failed", "message": "..."}``.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.termination import say

SOCKET_NAME = "agent.sock"
MAX_BREAKS = 20
"""How often a sidecar may break off in the middle before it is given up."""


def agent_dir(env: Mapping[str, str]) -> Path:
    """Return the folder with the sidecar's sockets; it was the run folder in release 0.2.0."""
    return Path(env.get("SLIPWAY_AGENT_DIR") or env["SLIPWAY_RUN_DIR"])


class RefusedError(Exception):
    """The sidecar cannot do what it was asked for; the text is its sentence that says why."""


class SilentError(Exception):
    """The sidecar does not answer."""


class UploadError(Exception):
    """The output was not stored; the text is one sentence that says why."""


def request_upload(path: Path, patience: float = 600.0, pause: float = 1.0) -> Any:
    """Ask the sidecar to store the output, and return where it lies, or None where nowhere.

    That is ``{"uri", "files", "sizeBytes"}``. Raises UploadError where the sidecar gives up or does
    not answer.
    """
    try:
        answer = ask(path, {"command": "upload"}, patience, pause)
    except RefusedError as error:
        raise UploadError(str(error)) from error
    except SilentError as error:
        raise UploadError(f"The output was not stored: {error}") from error
    return answer.get("output")


def ask(
    path: Path,
    request: Mapping[str, Any],
    patience: float,
    pause: float = 0.5,
    most_breaks: int = MAX_BREAKS,
) -> Mapping[str, Any]:
    """Ask the sidecar, and return its last answer; what it says meanwhile goes to the log.

    It may take its time, while the store is away for instance. One that was restarted is asked
    again, for ``patience`` seconds after it was last heard of. Raises RefusedError, or SilentError
    where it is out of reach for longer, or breaks off so many times.
    """
    heard, breaks = time.monotonic(), 0
    while breaks < most_breaks and time.monotonic() - heard < patience:
        try:
            for answer in converse(path, request):
                heard = time.monotonic()
                if answer["event"] == "done":
                    return answer  # type: ignore[no-any-return]
                if answer["event"] == "failed":
                    raise RefusedError(str(answer["message"]))
                say(str(answer["message"]))
        except (BrokenConversationError, ValueError, KeyError) as error:
            say(f"the sidecar broke off ({error}); it is asked again")
            heard, breaks = time.monotonic(), breaks + 1
        except OSError as error:
            say(f"the sidecar is not there yet ({error})")
        time.sleep(pause)
    raise SilentError("the pod's sidecar does not answer; see its log.")


class BrokenConversationError(OSError):
    """The sidecar went away after it had been reached."""


def converse(path: Path, request: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the answers to a request.

    Raises OSError where the sidecar cannot be reached, BrokenConversationError where it goes away
    before its last answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("r", encoding="utf-8") as stream:
                for line in stream:
                    yield json.loads(line)
        except OSError as error:
            raise BrokenConversationError(str(error)) from error
    raise BrokenConversationError("the connection ended without an answer")
