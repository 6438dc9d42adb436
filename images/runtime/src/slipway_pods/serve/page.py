"""Asking the server in this pod, whose code is somebody else's: bounded in time and in size.

Redirects are not followed, and no proxy is used.
"""

import http.client
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_BYTES = 1 << 20
"""How much of an answer is read, in bytes."""


@dataclass(frozen=True)
class Page:
    """An answer: its status, and its body, or if not ``whole`` the beginning of that."""

    status: int
    body: bytes
    whole: bool


def ask(
    url: str, seconds: float, body: bytes | None = None, kind: str = "application/json"
) -> Page:
    """Return what is answered to GET, or to a POST where there is a body, of a content type.

    Raises TimeoutError where the answer, or as much of it as is read, is not there in time, and
    another OSError where nobody listens or the answer is no HTTP.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
    late = threading.Event()
    try:
        connection.connect()
        ends = threading.Timer(seconds, _cut, (connection.sock, late))
        ends.daemon = True
        ends.start()
        try:
            found = _answer(connection, parts.path or "/", body, kind)
        finally:
            ends.cancel()
        if not late.is_set():
            return found
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, http.client.HTTPException):
            error = OSError(f"the answer is no HTTP ({type(error).__name__})")
        if not late.is_set() and not isinstance(error, TimeoutError):
            raise error from None
    finally:
        connection.close()
    raise TimeoutError(f"no whole answer came within {seconds:g} s")


def _cut(connection: socket.socket, late: threading.Event) -> None:
    """End a connection whatever it is waiting for; it may be over already."""
    late.set()
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _answer(
    connection: http.client.HTTPConnection, path: str, body: bytes | None, kind: str
) -> Page:
    headers = {"content-type": kind} if body is not None else {}
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    found = answer.read(MOST_BYTES + 1)
    if answer.length and len(found) <= MOST_BYTES:
        raise OSError("the answer ended before its length")
    return Page(answer.status, found[:MOST_BYTES], len(found) <= MOST_BYTES)
