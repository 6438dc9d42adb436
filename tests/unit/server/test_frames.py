"""Frames between the front and its workers, which run anybody's code."""

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_server.frames import Bounds, Frame, FrameError, encoded, read, receive, send

HEADS = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | st.booleans())


async def from_bytes(text: bytes, bounds: Bounds) -> Frame | None:
    reader = asyncio.StreamReader()
    reader.feed_data(text)
    reader.feed_eof()
    return await read(reader, bounds)


@given(HEADS, st.lists(st.binary(max_size=64), max_size=5))
async def test_what_is_sent_is_what_is_read(head: dict[str, Any], parts: list[bytes]) -> None:
    frame = await from_bytes(b"".join(map(bytes, encoded(Frame(head, parts)))), Bounds())
    assert frame is not None
    assert (frame.head, list(frame.parts)) == (head, parts)


@given(HEADS, st.lists(st.binary(max_size=64), max_size=5))
def test_a_worker_reads_what_the_front_sends(head: dict[str, Any], parts: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, Frame(head, parts))
        ours.close()
        frame = receive(theirs)
        assert frame is not None
        assert (frame.head, [bytes(part) for part in frame.parts]) == (head, parts)
        assert receive(theirs) is None


@given(st.binary(max_size=200))
async def test_no_bytes_make_the_front_take_more_than_its_bounds(text: bytes) -> None:
    bounds = Bounds(head=32, parts=3, total=64)
    try:
        frame = await from_bytes(text, bounds)
    except FrameError:
        return
    if frame is not None:
        assert len(frame.parts) <= 3
        assert sum(map(len, frame.parts)) <= 64


@pytest.mark.parametrize(
    ("frame", "bounds"),
    [
        (Frame({"a": "x" * 99}), Bounds(head=64)),
        (Frame({}, [b""] * 9), Bounds(parts=8)),
        (Frame({}, [b"x" * 99]), Bounds(total=64)),
    ],
)
async def test_a_frame_beyond_a_bound_is_refused(frame: Frame, bounds: Bounds) -> None:
    with pytest.raises(FrameError):
        await from_bytes(b"".join(map(bytes, encoded(frame))), bounds)
