"""Verses of SWORD's modules, made here byte by byte as its driver keeps them."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.datasets import sword
from dev.errors import DevError


def files_of(name: str, *blocks: list[str]) -> dict[str, bytes]:
    """Return a testament's files, whose places' texts lie in blocks."""
    packed, told, places = b"", b"", b""
    for number, texts in enumerate(blocks):
        begin = 0
        for text in texts:
            size = len(text.encode())
            places += struct.pack("<IIH", number, begin, size)
            begin += size
        block = zlib.compress("".join(texts).encode())
        told += struct.pack("<III", len(packed), len(block), begin)
        packed += block
    return {f"{name}.bzs": told, f"{name}.bzv": places, f"{name}.bzz": packed}


def chapter(name: str) -> str:
    return f'<div sID="gen4" type="x-p"/><chapter n="1" osisID="{name}" sID="{name}"/>'


BOOK = '<div canonical="true" osisID="Exod" sID="gen2" type="book"/> Of this book'
END = '<chapter eID="Gen.1" osisID="Gen.1"/> A glossary <div eID="gen1" type="book"/>'
OLD = files_of(
    "ot",
    ["", "<milestone/>", "Preface", chapter("Gen.1"), "In the beginning", "", f"Light{END}"],
    [BOOK, chapter("Exod.1"), "Él dijo: sea", chapter("Exod.2"), "And"],
)
NEW = files_of("nt", ["", "", BOOK, chapter("Matt.1"), "The book"])
MODULE = {**OLD, **NEW}


def test_each_verse_that_has_a_text_has_a_line_with_its_name() -> None:
    assert sword.as_table(MODULE).decode().split("\n") == [
        *("Gen.1.1\tIn the beginning", "Gen.1.3\tLight"),
        *("Exod.1.1\tÉl dijo: sea", "Exod.2.1\tAnd"),
        *("Matt.1.1\tThe book", ""),
    ]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("<w lemma='a'>In</w> <q who='J'>the</q>\n <lb/>house", "In the house"),
        ("All<note n='1'>or <hi>some</hi></note> men", "All men"),
        ("<title type='psalm'>A psalm</title>He", "He"),
        ("one<note n='1'/> and <note>two</note> three", "one and three"),
        ("salt &amp; light", "salt & light"),
    ],
)
def test_a_verse_is_without_notes_headings_and_marks(marked: str, plain: str) -> None:
    module = {**OLD, **files_of("nt", [chapter("Matt.1"), marked])}
    assert sword.as_table(module).decode().splitlines()[-1] == f"Matt.1.1\t{plain}"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"nt.bzv": b"short"}, "multiple of"),
        ({"nt.bzv": struct.pack("<IIH", 7, 0, 3)}, "index out of range"),
        ({"nt.bzv": struct.pack("<IIH", 0, 6, 3000)}, "block 0 ends before"),
        ({"nt.bzz": b"no block"}, "incorrect header"),
        ({"nt.bzs": struct.pack("<III", 0, len(NEW["nt.bzz"]), 9999)}, "not the 9999 bytes"),
        (files_of("nt", ["é"]) | {"nt.bzv": struct.pack("<IIH", 0, 1, 1)}, "invalid start byte"),
    ],
)
def test_what_is_no_module_is_refused(changed: dict[str, bytes], why: str) -> None:
    with pytest.raises(DevError, match=why):
        sword.as_table({**MODULE, **changed})


@given(st.data())
def test_a_damaged_module_is_refused_or_has_lines_with_names(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(MODULE)))
    content = bytearray(MODULE[name])
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DevError):
        lines = sword.as_table({**MODULE, name: bytes(content)}).decode().split("\n")
        assert all(line.count("\t") == 1 for line in lines[:-1])
        assert lines[-1] == ""
