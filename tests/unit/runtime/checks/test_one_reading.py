"""Zip files that hold the same for all their readers, and those that do not."""

import base64
import io
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.checks import one_reading, zip_end
from slipway_runtime.checks.one_reading import check
from slipway_runtime.checks.zip_names import TwoReadingsError
from tests.unit.runtime.archives import (
    ended,
    misnamed,
    moved,
    parted,
    streamed,
    two_lists,
    unlisted,
    zipped,
)

FILES = {"net/": b"", "net/train.py": b"x" * 300, "net/größe": b"\0" * 5000, "z": b""}
HONEST = {
    "stored": zipped(FILES),
    "deflated": zipped(FILES, zipfile.ZIP_DEFLATED),
    "bzip2": zipped(FILES, zipfile.ZIP_BZIP2),
    "lzma": zipped(FILES, zipfile.ZIP_LZMA),
    "streamed": streamed(FILES),
    "nothing": zipped({}),
}


def names(data: bytes, *, folds_case: bool = False) -> list[str]:
    return [each.name.decode() for each in check(io.BytesIO(data), folds_case=folds_case)]


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_what_python_writes_has_one_reading(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        assert names(data) == bundle.namelist()
        sizes = [(each.file_size, each.compress_size) for each in bundle.infolist()]
    assert [(each.size, each.packed) for each in check(io.BytesIO(data))] == sizes


def test_a_comment_of_its_said_length_is_nothing_to_refuse() -> None:
    with io.BytesIO(zipped(FILES)) as file:
        with zipfile.ZipFile(file, "a") as bundle:
            bundle.comment = b"7cca420415abf2d24be49ebd2cb8a9323eb36f74"
        assert names(file.getvalue()) == list(FILES)


def test_what_is_added_to_a_file_of_pythons_has_one_reading() -> None:
    with io.BytesIO(zipped(FILES)) as file:
        with zipfile.ZipFile(file, "a") as bundle:
            bundle.writestr("more", b"y")
        assert names(file.getvalue()) == [*FILES, "more"]


def test_wide_sizes_where_none_are_needed_are_nothing_to_refuse() -> None:
    buffer = io.BytesIO()
    bundle = zipfile.ZipFile(buffer, "w")
    with bundle, bundle.open("a", "w", force_zip64=True) as file:
        file.write(b"content")
    assert names(buffer.getvalue()) == ["a"]


TORCH = zlib.decompress(
    base64.b64decode(
        "eNoL8GZmYWDg4GDAAFwMEgyp+imJJYl6Bdk5bk4iDFFYQANTbSGDXoA3O8eniUxH2YD6QDgAp6mCDNZAU/XS8otyE0"
        "viy1KLijPz89yczLEaTgQwBFm9/f2dZkag4Yx4rRZhsAVZXVySX5SYnhqfmJOZnpebmlfi5mRJru1RUWYmIAfYlxe+"
        "ZAJawYTXAdwMrEAHJFWWpOYXpaQWuTkxMkTlZJaU5KSCzGi1fSxJOPw4GZyBZsDDzZ58l0OAMRfI7ovz0kMJu1+CwQ"
        "IUgKAkoV+cWpQJDMGqxBKgO+IzU9ycTMhyioGRpYGFiZmFmbm5uZmRpZGxoYGJgYGhgbGJpamFqaGhpamBpbmpCTia"
        "n7EtPa0BdIcG2JWMIMfC3Ymc+rgwXI5Ix+j6kJOOIIqeMLA+tJSKrh054kVQtF+EaMdIbegmIEc7N4oJQYwMyMkFXS"
        "NynHGiaJwG1ojDxciBKIGiTYiJAWf0BnizselA1ckx68L1sKHR+YwQegcThAbqYwfR6iwQPiSHsrJB9LCB1UPUAgDo"
        "WOCV"
    )
)
"""What `torch.save({}, file)` of torch 2.13 wrote."""


def test_what_torch_writes_has_one_reading() -> None:
    assert names(TORCH, folds_case=True)[0] == "e/data.pkl"


def large(place: int) -> bytes:
    """Return the end of a file of `torch.save` behind its first 4 GiB, as torch 2.13 writes it.

    Before the file are its own place as a wide number and a field that aligns it, and behind it its
    sizes as wide numbers.
    """
    name, content = b"archive/data/1", b"\0\0\x80?" * 3
    crc = zlib.crc32(content)
    field = struct.pack("<2HQ", 1, 8, place)
    more = field + b"FB\x04\0ZZZZ"
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 0, 0x808, 0, 0, 0, 0, 0, 0, len(name), len(more))
    file = head + name + more + content + struct.pack("<4sL2Q", b"PK\7\x08", crc, 12, 12)
    listed = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 0, 0, 0x808, 0, 0, 0, crc, 12, 12, len(name), 12, 0, 0, 0, 0,
        0xFFFFFFFF,
    )  # fmt: skip
    listed += name + field
    return file + listed


def wide_end(count: int, size: int, place: int, end: int) -> bytes:
    """Return the two ends of a zip with a wide one at a place."""
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, place)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    narrow = min(place, 0xFFFFFFFF)
    return wide + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, narrow, 0)


def test_what_torch_writes_behind_four_gigabytes_has_one_reading(tmp_path: Path) -> None:
    first = 1 << 32
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, 20)
    head += b"a" + struct.pack("<2H2Q", 1, 16, first, first)
    place = len(head) + first
    listed = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, 20, 0, 0, 0, 0,
        0,
    )  # fmt: skip
    listed += b"a" + struct.pack("<2H2Q", 1, 16, first, first)
    second = large(place)
    cut = second.index(b"PK\1\2")
    both = listed + second[cut:]
    with (tmp_path / "a").open("w+b") as file:
        file.write(head)
        file.seek(place)
        file.write(second[:cut] + both)
        begin = place + cut
        file.write(wide_end(2, len(both), begin, begin + len(both)))
        assert [each.size for each in check(file)] == [first, 12]


@pytest.mark.parametrize(
    "command",
    [
        "zip -qr - d | cat > made",
        "zip -qr9 made.zip d && mv made.zip made",
        "cat d/z | zip -q made.zip - && mv made.zip made",
        "zip -q0r made.zip d && zip -qd made.zip d/a && mv made.zip made",
        "jar cf made d",
        "jar c0f made d",
    ],
    ids=lambda command: command[:12],
)
def test_what_other_programs_write_has_one_reading(tmp_path: Path, command: str) -> None:
    (tmp_path / "d/ä").mkdir(parents=True)
    (tmp_path / "d/ä/ö").write_text("umlauts")
    (tmp_path / "d/a").write_text("a")
    (tmp_path / "d/z").write_bytes(bytes(5000))
    for program in ("zip", "jar"):
        if program in command and shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "made").open("rb") as file:
        assert len(check(file)) >= 1


ONE, OTHER = zipped({"a": b"harmless"}), zipped({"a": b"something quite other"})


def with_end(data: bytes, count: int = 1) -> bytes:
    """Return a zip whose end says another number of files."""
    files, listed, end = parted(data)
    return files + listed + ended(end, count, len(listed), len(files))


def after(text: bytes) -> bytes:
    """Return a zip behind a text, all of whose places are right."""
    files, listed, end = parted(ONE)
    listed = moved(listed, len(text))
    return text + files + listed + ended(end, 1, len(listed), len(text + files))


def disagreeing() -> bytes:
    """Return a zip whose wide end has another list than the narrow one."""
    files, listed, _ = parted(ONE)
    other, other_list, _ = parted(OTHER)
    begin = len(files + listed)
    data = files + listed + other + moved(other_list, begin)
    place = begin + len(other)
    end = bytearray(wide_end(1, len(other_list), place, len(data)))
    struct.pack_into("<L", end, len(end) - 6, len(files))
    return data + bytes(end)


def early_end() -> bytes:
    """Return a zip of a streamed file with another within its bytes, behind where it ends itself.

    Who reads on from there finds the sizes of the first, and then the second.
    """
    inner, size = zlib.compress(b"harmless", wbits=-15), len(b"harmless")
    crc = zlib.crc32(b"harmless")
    after = struct.pack("<4s3L", b"PK\7\x08", crc, len(inner), size)
    packed = inner + after + parted(zipped({"b": b"hidden"}))[0]
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 8, 8, 0, 0, 0, 0, 0, 1, 0) + b"a"
    last = struct.pack("<4s3L", b"PK\7\x08", crc, len(packed), size)
    listed = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 8, 8, 0, 0, crc, len(packed), size, 1, 0, 0, 0, 0, 0, 0
    )
    files = head + packed + last
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed) + 1, len(files), 0)
    return files + listed + b"a" + end


def wide_nothing() -> bytes:
    """Return a zip of an empty file that is followed by wide sizes, which end a stream to Java."""
    packed = zlib.compress(b"", wbits=-15)
    more = struct.pack("<2H2Q", 1, 16, 0, 0)
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 8, 8, 0, 0, 0, 0, 0, 1, len(more))
    files = head + b"a" + more + packed + struct.pack("<4sL2Q", b"PK\7\x08", 0, len(packed), 0)
    listed = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 45, 45, 8, 8, 0, 0, 0, len(packed), 0, 1, 0, 0, 0, 0, 0, 0
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed) + 1, len(files), 0)
    return files + listed + b"a" + end


def overlapping() -> bytes:
    """Return a zip whose first file has the second one's header and bytes in its own."""
    inner = parted(zipped({"b": b"hidden"}))[0]
    files, listed, end = parted(zipped({"a": inner}))
    _, other, _ = parted(zipped({"b": b"hidden"}))
    both = listed + moved(other, 31)
    return files + both + ended(end, 2, len(both), len(files))


def with_local(data: bytes, at: int, value: bytes) -> bytes:
    """Return a zip with other bytes in the header before its first file."""
    return data[:at] + value + data[at + len(value) :]


def with_field(number: int, field: bytes, *, local: bool, listed: bool) -> bytes:
    """Return a zip of one file with a field in its headers."""
    more = struct.pack("<2H", number, len(field)) + field
    files, entry, end = parted(ONE)
    if local:
        files = files[:28] + struct.pack("<H", len(more)) + files[30:31] + more + files[31:]
    if listed:
        entry = entry[:30] + struct.pack("<H", len(more)) + entry[32:] + more
    return files + entry + ended(end, 1, len(entry), len(files))


def far() -> bytes:
    """Return a zip whose second file is at a place that no file has."""
    files, listed, end = parted(zipped({"a": b"", "b": b"1"}))
    listed = listed[:-5] + b"\xff" * 4 + b"b" + struct.pack("<2HQ", 1, 8, (1 << 64) - 1)
    at = listed.rindex(b"PK\1\2") + 30
    listed = listed[:at] + struct.pack("<H", 12) + listed[at + 2 :]
    return files + listed + ended(end, 2, len(listed), len(files))


HOSTILE: dict[str, tuple[bytes, str]] = {
    "two lists": (two_lists(OTHER, zipped({"a": bytes(99)})), "not where its end says"),
    "something before it": (b"#!/bin/sh\n" + ONE, "not where its end says"),
    "something before it, counted": (after(b"#!/bin/sh\n"), "not begin with its first file"),
    "a file that is not listed": (unlisted(ONE, zipped({"b": b"hidden"})), "lies behind b'a'"),
    "something behind it": (ONE + b"more", "follows its end"),
    "another zip behind it": (ONE + OTHER, "not where its end says"),
    "an end in its comment": (
        with_end(ONE)[:-2] + struct.pack("<H", 22) + parted(OTHER)[2], "not where its end says"
    ),
    "a longer comment than is there": (ONE[:-2] + b"\x05\0abc", "follows its end"),
    "fewer files than are listed": (with_end(zipped({"a": b"", "b": b""})), "longer than it says"),
    "more files than are listed": (with_end(ONE, count=2), "shorter than it says"),
    "another name before the file": (misnamed(ONE, b"a", b"b"), "something else of b'b'"),
    "another method before the file": (with_local(ONE, 8, b"\x08"), "something else"),
    "another flag before the file": (with_local(ONE, 6, b"\x08"), "something else"),
    "another size before the file": (with_local(ONE, 18, b"\x07"), "something else"),
    "another sum before the file": (with_local(ONE, 14, b"\0\0\0\0"), "something else"),
    "a name twice": (zipped({"a": b"1", "./a": b"2"}), "there twice"),
    "a file and a folder": (zipped({"a": b"1", "a/": b""}), "there twice"),
    "a folder with content": (zipped({"a/": b"1"}), "has content"),
    "an absolute name": (zipped({"/a": b"1"}), "no name within"),
    "a name that leads out": (zipped({"b/../../a": b"1"}), "no name within"),
    "a backslash": (zipped({"a\\b": b"1"}), "no name within"),
    "a name with an end in it": (
        zipped({"a.b": b"1"}).replace(b"a.b", b"a\0b"), "no name within"
    ),
    "two ends that disagree": (disagreeing(), "two ends"),
    "an end for large files elsewhere": (
        parted(ONE)[0] + parted(ONE)[1]
        + wide_end(1, len(parted(ONE)[1]), len(parted(ONE)[0]), 0),
        "not where it says",
    ),
    "a file that ends early": (early_end(), "does not end where"),
    "wide sizes behind nothing": (wide_nothing(), "lies behind"),
    "two files over each other": (overlapping(), "lies over"),
    "other wide sizes before the file": (
        with_field(1, struct.pack("<2Q", 5, 5), local=True, listed=False), "something else"
    ),
    "wide sizes that nothing stands for": (
        with_field(1, struct.pack("<Q", 5), local=False, listed=True), "told twice"
    ),
    "another name in a field": (
        with_field(0x7075, b"\x01" + struct.pack("<L", zlib.crc32(b"a")) + b"b",
                   local=True, listed=True),
        "another name",
    ),
    "a broken field": (
        with_field(9, b"xx", local=False, listed=True).replace(b"\x09\0\x02\0", b"\x09\0\x03\0"),
        "broken field",
    ),
    "a place that no file has": (far(), "not before its list"),
    "several parts": (ONE[:-18] + b"\x01" + ONE[-17:], "several parts"),
    "nothing": (b"", "no end"),
    "a cut file": (ONE[:-5], "no end"),
    "no zip": (b"x" * 99, "no end"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "why"), HOSTILE.values(), ids=HOSTILE)
def test_what_two_readers_could_take_for_two_things_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(TwoReadingsError, match=why):
        names(data)


def test_names_that_differ_in_case_alone_are_one_name_to_torch() -> None:
    twins = zipped({"a/data/0": b"1", "a/Data/0": b"2"})
    assert names(twins) == ["a/data/0", "a/Data/0"]
    with pytest.raises(TwoReadingsError, match="there twice"):
        names(twins, folds_case=True)


def test_names_that_are_one_in_other_characters_are_refused() -> None:
    both = zipped({"é": b"1", "├⌐": b"2"})
    marked = struct.pack("<H", 0x800)
    files, listed, end = parted(both)
    at = listed.rindex(b"PK\1\2")
    plain = files.replace(marked, b"\0\0", 1), listed[:at].replace(marked, b"\0\0") + listed[at:]
    with pytest.raises(TwoReadingsError, match="there twice"):
        names(plain[0] + plain[1] + end)


@pytest.mark.parametrize(("bound", "most"), [("MOST_LIST_BYTES", 100), ("MOST_ENTRIES", 3)])
def test_a_list_without_end_is_not_read(bound: str, most: int) -> None:
    with mock.patch.object(zip_end, bound, most), pytest.raises(TwoReadingsError, match="more"):
        names(zipped(FILES))


def test_no_more_comes_out_of_a_file_than_it_says() -> None:
    data = streamed({"a": bytes(50_000_000)})
    size = struct.pack("<L", 50_000_000)
    with pytest.raises(TwoReadingsError, match="does not end where"):
        names(data.replace(size, struct.pack("<L", 1000)))


def test_what_would_unfold_to_much_more_than_itself_is_not_unpacked() -> None:
    data = streamed({"a": bytes(5_000_000)})
    with (
        mock.patch.object(one_reading, "SMALL_BYTES", 1_000_000),
        pytest.raises(TwoReadingsError, match="would come out of it"),
    ):
        names(data)
    assert names(data) == ["a"]


def java(data: bytes) -> dict[str, bytes]:
    """Return what a reader without the list finds, in the steps of Java's ZipInputStream."""
    found: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\3\4":
        flags, method = struct.unpack_from("<2H", data, at + 6)
        packed, _, name_length, more_length = struct.unpack_from("<2L2H", data, at + 18)
        name = data[at + 30 : at + 30 + name_length]
        at += 30 + name_length + more_length
        if method == 8:
            reading = zlib.decompressobj(-15)
            content = reading.decompress(data[at:])
            packed = len(data) - at - len(reading.unused_data)
        else:
            content = data[at : at + packed]
        at += packed
        if flags & 8:
            at += 16 if data[at : at + 4] == b"PK\7\x08" else 12
        found[name.decode()] = content
    return found


def python(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return {each.filename: bundle.read(each) for each in bundle.infolist()}


def miniz(data: bytes) -> dict[str, bytes]:
    """Return what torch finds: the list is where the end says, and tells all but a file's begin."""
    end = data.rindex(b"PK\5\6")
    count, _, at = struct.unpack_from("<HLL", data, end + 10)
    found: dict[str, bytes] = {}
    for _ in range(count):
        (method,) = struct.unpack_from("<H", data, at + 10)
        packed, _, *lengths = struct.unpack_from("<2L3H", data, at + 20)
        (offset,) = struct.unpack_from("<L", data, at + 42)
        name = data[at + 46 : at + 46 + lengths[0]]
        begin = offset + 30 + sum(struct.unpack_from("<2H", data, offset + 26))
        content = data[begin : begin + packed]
        found[name.decode()] = zlib.decompress(content, -15) if method == 8 else content
        at += 46 + sum(lengths)
    return found


READERS: list[Callable[[bytes], dict[str, bytes]]] = [java, python, miniz]
SMALL = {"a": b"some content" * 9, "b/c": b"", "d": bytes(99)}
SOURCES = [
    zipped(SMALL),
    zipped(SMALL, zipfile.ZIP_DEFLATED),
    streamed(SMALL),
    two_lists(zipped({"a": b"harmless"}), zipped({"a": b"something quite other"})),
    unlisted(zipped({"a": b"1"}), zipped({"b": b"2"})),
]


@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255))))
def test_whatever_passes_is_the_same_to_all_readers(
    source: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(source)
    for at, value in changes:
        data[at % len(data)] = value
    try:
        entries = check(io.BytesIO(data))
    except TwoReadingsError:
        return
    readings = []
    for reader in READERS:
        try:
            readings.append(reader(bytes(data)))
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, UnicodeDecodeError):
            continue  # nothing is loaded of what cannot be read
    assert all(reading == readings[0] for reading in readings)
    assert all(len(reading) == len(entries) for reading in readings)


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]),
            min_size=1,
            max_size=9,
        ).filter(lambda name: name not in (".", "..")),
        st.binary(max_size=99),
        max_size=6,
    ),
    st.sampled_from([zipped, lambda files: zipped(files, zipfile.ZIP_DEFLATED), streamed]),
)
def test_honest_files_pass_whatever_they_hold(
    files: dict[str, bytes], write: Callable[[dict[str, bytes]], bytes]
) -> None:
    assert names(write(files)) == list(files)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(data: bytes) -> None:
    for text in (data, data + ONE, ONE[:-22] + data + ONE[-22:], zipped({"a": data})):
        try:
            check(io.BytesIO(text))
        except TwoReadingsError:
            continue
