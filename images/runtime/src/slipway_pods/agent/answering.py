"""A socket of the sidecar, as the sidecar sees it; `slipway_runtime.control` is the other side."""

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime import strict
from slipway_runtime.termination import say

MAX_REQUEST_BYTES = 1024 * 1024
"""Longest request line."""
REQUEST_SECONDS = 10.0
"""How long a request line may take to come, and an answer to be taken."""
MAX_CONVERSATIONS = 16
"""Most conversations at a time; more than a pod's ranks ever have, since one asks for all."""

SOCKET_MODE = 0o660
"""The trainer container has the sidecar's group, but another user."""

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
        path.chmod(SOCKET_MODE)
        self.answer = answer
        self.free = threading.BoundedSemaphore(MAX_CONVERSATIONS)


class _Conversation(socketserver.StreamRequestHandler):
    """One request line, then answers."""

    server: AnsweringServer
    timeout = REQUEST_SECONDS

    def handle(self) -> None:
        if not self.server.free.acquire(blocking=False):
            return
        try:
            line = self.rfile.readline(MAX_REQUEST_BYTES + 1)
            request = strict.loads(line or b"{}", MAX_REQUEST_BYTES)
            if not isinstance(request, dict):
                raise ValueError("the request is no object")
            self.server.answer(request, self._send)
        except (OSError, ValueError) as error:
            say(f"a conversation with the trainer container broke off: {error}")
        finally:
            self.server.free.release()

    def _send(self, event: Mapping[str, Any]) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
