"""Reading a table of R: a data frame of factors, as R's ``save`` writes one.

The format is that of "R Internals", section 1.8, in its binary form. What it is not read for (other
types, missing values) is refused.
"""

import bz2
import csv
import gzip
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dev.errors import DevError

_COMPRESSED: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
}
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What these raise for other content."""
_MAGIC = (b"RDX2\nX\n", b"RDX3\nX\n")
"""Of versions 2 and 3 in XDR: whole numbers are of four bytes, the highest first."""
_SYMBOL, _PAIRS, _TEXT, _WHOLES, _TEXTS, _LIST, _NIL, _SEEN = 1, 2, 9, 13, 16, 19, 0xFE, 0xFF
_HAS_ATTRIBUTES, _HAS_NAME = 1 << 9, 1 << 10
"""The lowest byte of what an item begins with is its type, these are bits above it."""


@dataclass(frozen=True)
class _Value:
    content: Sequence[Any]
    attributes: Mapping[str, "_Value"]


def as_csv(content: bytes) -> bytes:
    """Return the only data frame of a file as CSV with its columns' names; raises DevError."""
    try:
        (frame,) = _Reader(_unpacked(content)).saved().values()
        names = _texts(frame.attributes["names"])
        columns = [
            [name, *_levels(column)] for name, column in zip(names, frame.content, strict=True)
        ]
        rows = list(zip(*columns, strict=True))
    except (*_DAMAGED, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise DevError(f"It is no data frame of factors that R saved: {error}.") from error
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _unpacked(content: bytes) -> bytes:
    for head, unpack in _COMPRESSED.items():
        if content.startswith(head):
            return unpack(content)
    return content


def _texts(value: _Value) -> list[str]:
    if not all(isinstance(each, str) for each in value.content):
        raise ValueError("what should be texts is not")
    return list(value.content)


def _levels(factor: _Value) -> list[str]:
    """Return a factor's values, which count its levels from 1."""
    levels = _texts(factor.attributes["levels"])
    if not all(isinstance(each, int) and 1 <= each <= len(levels) for each in factor.content):
        raise ValueError("a value is missing, or is none of its levels")
    return [levels[number - 1] for number in factor.content]


class _Reader:
    """Reads items one after the other; raises ValueError for what it does not know."""

    def __init__(self, content: bytes) -> None:
        self.left = memoryview(content)
        self.symbols: list[str] = []

    def saved(self) -> Mapping[str, _Value]:
        """Read a whole file: values by their names."""
        if bytes(self.take(7)) not in _MAGIC:
            raise ValueError("it does not begin as R's files do")
        version, _, _ = self.wholes(3)
        if version == 3:
            self.take(self.count())  # the name of an encoding
        return self.pairs()

    def take(self, size: int) -> memoryview:
        if size > len(self.left):
            raise ValueError("it ends too early")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def wholes(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}i", self.take(4 * count))

    def count(self) -> int:
        (count,) = self.wholes(1)
        if count < 0:
            raise ValueError(f"it has a length of {count}")
        return count

    def pairs(self) -> dict[str, _Value]:
        """Read a list of values with names, node by node."""
        named = {}
        while (flags := self.flags(_PAIRS, _NIL)) & 0xFF == _PAIRS:
            if flags & _HAS_ATTRIBUTES or not flags & _HAS_NAME:
                raise ValueError("a list has values without names")
            name = self.symbol()
            named[name] = self.value()
        return named

    def flags(self, *kinds: int) -> int:
        (flags,) = self.wholes(1)
        if flags & 0xFF not in kinds:
            raise ValueError(f"it has an item of the type {flags & 0xFF} where none may be")
        return flags

    def symbol(self) -> str:
        """Read a name: its text where it comes first, and later the number that this one got."""
        flags = self.flags(_SYMBOL, _SEEN)
        if flags & 0xFF == _SYMBOL:
            self.symbols.append(self.text())
            return self.symbols[-1]
        number = flags >> 8
        if not 1 <= number <= len(self.symbols):
            raise ValueError(f"it has no name of the number {number}")
        return self.symbols[number - 1]

    def text(self) -> str:
        self.flags(_TEXT)
        return str(self.take(self.count()), "utf-8")

    def value(self) -> _Value:
        flags = self.flags(_WHOLES, _TEXTS, _LIST)
        count = self.count()
        content: Sequence[Any]
        if flags & 0xFF == _WHOLES:
            content = self.wholes(count)
        else:
            read = self.text if flags & 0xFF == _TEXTS else self.value
            content = [read() for _ in range(count)]
        return _Value(content, self.pairs() if flags & _HAS_ATTRIBUTES else {})
