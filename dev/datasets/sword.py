"""Reading the verses of a module of the SWORD Project, as its driver ``zText`` keeps them in OSIS.

A module's folder has three files for each testament. ``bzz`` has blocks of text, each compressed
by zlib. ``bzs`` has for each block where it lies there: offset, size and unpacked size. ``bzv`` has
for each place of the canon the block's number, where the text begins in the block, and its size in
bytes. All numbers are whole and have the lowest byte first. Places follow each other as in the
canon: one for each book's heading and each chapter's, then the chapter's verses. The headings have
OSIS's marks with the names (``<chapter osisID="Gen.1" sID="...">``), so no canon is needed here.
"""

import html
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from dev.errors import DevError

_TESTAMENTS = ("ot", "nt")
_PARTS = ("bzs", "bzv", "bzz")
FILES = tuple(f"{testament}.{part}" for testament in _TESTAMENTS for part in _PARTS)
"""The files of a module's folder that are read."""
_BLOCK, _PLACE = "<III", "<IIH"
_ASIDE = re.compile(r"<(note|title)\b[^>]*?(?:/>|(?<!/)>.*?</\1>)", re.DOTALL)
"""Notes and headings, which are no part of a verse's text."""
_CHAPTER = re.compile(r"""<chapter\b(?=[^>]*\bsID=)[^>]*?\bosisID=["']([\w.]+)["'][^>]*>""")
_BEHIND = re.compile(r"<chapter\b[^>]*\beID=.*", re.DOTALL)
"""What is behind the last verse of a chapter: a glossary, say."""
_BOOK = re.compile(r"""<div\b(?=[^>]*\bsID=)[^>]*\btype=["']book["'][^>]*>""")
"""Where a book begins; what ends it is in the text of its last verse."""
_MARK = re.compile(r"<[^>]*>")


def as_table(files: Mapping[str, bytes]) -> bytes:
    """Return a line for each verse that has a text: its name (``Gen.1.1``), a tab, and the text.

    Raises DevError for files that are none of such a module.
    """
    try:
        verses = [
            f"{name}\t{text}\n"
            for testament in _TESTAMENTS
            for name, text in _verses(_texts(*(files[f"{testament}.{part}"] for part in _PARTS)))
            if text
        ]
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise DevError(f"They are no files of a SWORD module: {error}.") from error
    return "".join(verses).encode()


def _verses(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield names and plain texts of a testament's verses; what is before a chapter is left out."""
    chapter, verse = "", 0
    for text in texts:
        if heading := _CHAPTER.search(text):
            chapter, verse = heading[1], 0
        elif _BOOK.search(text):
            chapter = ""
        elif chapter:
            verse += 1
            yield f"{chapter}.{verse}", _plain(text)


def _texts(blocks: bytes, places: bytes, packed: bytes) -> Iterator[str]:
    """Yield the text of each place with its marks."""
    unpacked = [_unpacked(packed, *told) for told in struct.iter_unpack(_BLOCK, blocks)]
    for block, begin, size in struct.iter_unpack(_PLACE, places):
        text = unpacked[block][begin : begin + size] if size else b""
        if len(text) < size:
            raise ValueError(f"block {block} ends before a verse does")
        yield text.decode()


def _unpacked(packed: bytes, offset: int, size: int, whole: int) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed[offset : offset + size], whole + 1)
    if len(text) != whole:
        raise ValueError(f"a block has not the {whole} bytes that it is told to have")
    return text


def _plain(text: str) -> str:
    """Return a text without notes, headings and marks, in one line."""
    return " ".join(html.unescape(_MARK.sub("", _ASIDE.sub(" ", _BEHIND.sub("", text)))).split())
