"""What front and workers say to each other: frames of a fixed layout, read with bounds.

A frame is two unsigned 32-bit numbers (big endian), the length of its head and the number of its
parts; the parts' lengths as unsigned 64-bit numbers; the head, a JSON object; the parts, bytes. A
worker runs anybody's code, so the front believes nothing else and no more than `Bounds` says.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_START = struct.Struct(">II")
_SIZE = struct.Struct(">Q")


class FrameError(Exception):
    """What came is no frame, or a larger one than is taken."""


@dataclass(frozen=True)
class Bounds:
    """Longest head and parts in bytes, and most parts of a frame."""

    head: int = 4 << 20
    parts: int = 16_384
    total: int = 1 << 30


@dataclass(frozen=True)
class Frame:
    """A head, and the bytes that go with it."""

    head: dict[str, Any]
    parts: Sequence[bytes | bytearray | memoryview] = ()

    @property
    def kind(self) -> str:
        """What the frame is about."""
        return str(self.head.get("kind", ""))


def encoded(frame: Frame) -> list[bytes | bytearray | memoryview]:
    """Return a frame's bytes, in pieces."""
    head = json.dumps(frame.head, separators=(",", ":")).encode()
    sizes = b"".join(_SIZE.pack(len(part)) for part in frame.parts)
    return [_START.pack(len(head), len(frame.parts)) + sizes + head, *frame.parts]


def _checked(start: bytes, bounds: Bounds) -> tuple[int, int]:
    head, count = _START.unpack(start)
    if head > bounds.head or count > bounds.parts:
        raise FrameError(f"a head of {head} bytes with {count} parts")
    return head, count


def _sizes(text: bytes, bounds: Bounds) -> list[int]:
    sizes = [size for (size,) in _SIZE.iter_unpack(text)]
    if sum(sizes) > bounds.total:
        raise FrameError(f"parts of {sum(sizes)} bytes")
    return sizes


def _head(text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("a head that is no JSON") from error
    if not isinstance(head, dict):
        raise FrameError("a head that is no object")
    return head


async def read(reader: asyncio.StreamReader, bounds: Bounds) -> Frame | None:
    """Return the next frame; None where the other side is gone. Raises ``FrameError``."""
    try:
        head, count = _checked(await reader.readexactly(_START.size), bounds)
        sizes = _sizes(await reader.readexactly(_SIZE.size * count), bounds)
        told = _head(await reader.readexactly(head))
        return Frame(told, [await reader.readexactly(size) for size in sizes])
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive(sock: socket.socket) -> Frame | None:
    """Return the next frame from the front, which is trusted; None where the front is gone."""
    start = _exactly(sock, _START.size)
    if start is None:
        return None
    head, count = _START.unpack(start)
    sizes = _SIZE.iter_unpack(_exactly(sock, _SIZE.size * count) or b"")
    told = _head(bytes(_exactly(sock, head) or b"{}"))
    return Frame(told, [_exactly(sock, size) or bytearray() for (size,) in sizes])


def _exactly(sock: socket.socket, count: int) -> bytearray | None:
    text = bytearray(count)
    view, done = memoryview(text), 0
    while done < count:
        got = sock.recv_into(view[done:])
        if not got:
            return None
        done += got
    return text


def send(sock: socket.socket, frame: Frame) -> None:
    """Send a frame."""
    for piece in encoded(frame):
        sock.sendall(piece)
