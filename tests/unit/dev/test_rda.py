"""Tables that R saved, made here byte by byte as "R Internals" describes them."""

import bz2
import contextlib
import gzip
import lzma
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.datasets import rda
from dev.errors import DevError

OBJECT, ATTRIBUTES, NAME = 1 << 8, 1 << 9, 1 << 10
NIL = 0xFE


def wholes(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}i", *numbers)


def text(said: str) -> bytes:
    return wholes(9 | 1 << 18, len(said)) + said.encode()


def texts(*said: str) -> bytes:
    return wholes(16, len(said)) + b"".join(map(text, said))


def named(name: str, value: bytes) -> bytes:
    return wholes(2 | NAME, 1) + text(name) + value


def seen(number: int, value: bytes) -> bytes:
    return wholes(2 | NAME, 0xFF | number << 8) + value


def factor(numbers: list[int], levels: bytes) -> bytes:
    flags = 13 | OBJECT | ATTRIBUTES
    return wholes(flags, len(numbers), *numbers) + levels + wholes(NIL)


def frame(*columns: bytes, names: tuple[str, ...] = ("base", "class")) -> bytes:
    attributes = named("names", texts(*names)) + named("row.names", wholes(13, 2, -(2**31), -2))
    return wholes(19 | OBJECT | ATTRIBUTES, len(columns)) + b"".join(columns) + attributes


def file(content: bytes, version: int = 2) -> bytes:
    encoding = wholes(5) + b"UTF-8" if version == 3 else b""
    head = f"RDX{version}\nX\n".encode() + wholes(version, 0x40300, 0x20300)
    return head + encoding + named("DNA", content + wholes(NIL)) + wholes(NIL)


FIRST = factor([2, 1], named("levels", texts("A", "T")))
SECOND = factor([1, 2], seen(2, texts("donor", "neither")))
TABLE = b"base,class\nT,donor\nA,neither\n"


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_table_is_read_as_its_levels(version: int, compress: Callable[[bytes], bytes]) -> None:
    assert rda.as_csv(compress(file(frame(FIRST, SECOND), version))) == TABLE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"RDA2\n", "does not begin|too early"),
        (file(frame(FIRST, SECOND))[:-1], "ends too early"),
        (file(frame(FIRST)), "zip"),
        (file(frame(FIRST, factor([1], seen(2, texts("donor"))))), "zip"),
        (file(frame(FIRST, factor([1, 3], seen(2, texts("donor", "neither"))))), "none of its"),
        (file(frame(FIRST, wholes(14, 1, 0, 0))), "type 14"),
        (file(frame(FIRST, wholes(13, -1))), "length of -1"),
        (file(frame(FIRST, factor([1, 2], seen(9, texts("donor"))))), "no name of the number 9"),
        (gzip.compress(file(frame(FIRST, SECOND)))[:-9], "end-of-stream"),
    ],
)
def test_what_is_no_such_table_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(DevError, match=why):
        rda.as_csv(content)


@given(st.data())
def test_a_damaged_table_is_refused_or_is_a_table(data: st.DataObject) -> None:
    content = bytearray(file(frame(FIRST, SECOND)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DevError):
        assert rda.as_csv(bytes(content)).endswith(b"\n")
