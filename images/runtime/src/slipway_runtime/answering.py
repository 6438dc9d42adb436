"""A socket of the sidecar, as the sidecar sees it; `slipway_runtime.control` is the other side."""

import json
import socketserver
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.termination import say

Send = Callable[[Mapping[str, Any]], None]
"""Sends one answer; raises OSError where the trainer container went away."""
Answer = Callable[[Mapping[str, Any], Send], None]
"""Carries out a request, and sends answers until the last one."""


class AnsweringServer(socketserver.ThreadingUnixStreamServer):
    """Answers the trainer container on a unix socket, each conversation in a thread."""

    daemon_threads = True

    def __init__(self, path: Path, answer: Answer) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Conversation)
        self.answer = answer


class _Conversation(socketserver.StreamRequestHandler):
    """One request line, then answers."""

    server: AnsweringServer

    def handle(self) -> None:
        try:
            self.server.answer(json.loads(self.rfile.readline() or b"{}"), self._send)
        except (OSError, ValueError) as error:
            say(f"a conversation with the trainer container broke off: {error}")

    def _send(self, event: Mapping[str, Any]) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
