"""Whether a zip file holds the same files for each of its readers.

A zip file says what it holds twice: before each file, and in a list at its end. Python finds the
list before the end, wherever the end says that it is; torch goes where it says, and takes "A" for
"a"; Java's ZipInputStream, by which TorchServe unpacks, looks at no list at all. A file that says
two things could so be judged by what one of them sees, and loaded as what another does. Files of
`torch.save`, Python, torch-model-archiver, ``zip``, ``git archive`` and ``jar`` say one.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 to 4.6.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from slipway_runtime.checks.zip_names import TwoReadingsError as TwoReadingsError
from slipway_runtime.checks.zip_names import more_fields, names, other_name

BEGIN = b"PK\x03\x04"
"""What a zip file with files in it begins with, and each of them."""
END = b"PK\x05\x06"
"""What a zip file's end begins with, and so one without files."""
MOST_LIST_BYTES = 32 << 20
"""Longest list of a file's contents that is read, in bytes."""
MOST_ENTRIES = 200_000
"""Most files and folders in it."""
MOST_COMMENT = 0xFFFF
"""Longest comment behind the list, in bytes."""
DEFLATED = 8
"""The method of compression that ends by itself."""
BLOCK = 1 << 20
"""How much is unpacked at a time, in bytes."""

_LOCAL = struct.Struct("<4s5H3L2H")
_LISTED = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LATER = b"PK\x07\x08"
_MANY, _LARGE = 0xFFFF, 0xFFFFFFFF
"""What stands for a number that is told in a wider field."""
_SIZES_LATER, _UTF8 = 0x0008, 0x0800
_UNREADABLE = 0x0001 | 0x0020 | 0x0040 | 0x2000
"""Flags of files that are encrypted, or a change of another file."""
_LEVEL = 0x0006
"""Flags that tell nothing to readers."""
_ZIP64 = 1
"""What a field of wide numbers begins with."""


class Entry(NamedTuple):
    """A file or folder; the numbers are in bytes, ``packed`` as it lies there from ``begin`` on.

    ``other_name`` is what its fields tell besides, or its name again.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    other_name: bytes
    begin: int = 0


def begins(file: IO[bytes]) -> bool:
    """Tell whether a file begins as a zip file does."""
    file.seek(0)
    return file.read(len(BEGIN)) in (BEGIN, END)


def may_be(file: IO[bytes]) -> bool:
    """Tell whether a file begins as a zip file, or some reader could find the end of one in it."""
    return begins(file) or END in _tail(file)[1]


def check(file: IO[bytes], *, folds_case: bool = False) -> list[Entry]:
    """Return what a zip file holds, in the order of its list.

    With ``folds_case`` two names that differ in nothing else are the same name, as for torch.
    Raises TwoReadingsError, whose text is the end of a sentence, where there are two readings of
    it, or none; OSError. Memory is bounded, and no file is unpacked but where nothing else tells
    its end.
    """
    entries = listed(file, folds_case=folds_case)
    for entry in entries:
        check_end(file, entry)
    return entries


def listed(file: IO[bytes], *, folds_case: bool = False) -> list[Entry]:
    """Return what a zip file holds as `check` does, which also unpacks what has to be."""
    place, length, count = _list_of(file)
    found = list(_entries(_bytes(file, place, length), count))
    _check_names(found, folds_case=folds_case)
    ends = sorted(entry.offset for entry in found)
    ends.append(place)
    if ends[0] != 0:
        raise TwoReadingsError("it does not begin with its first file")
    following = dict(zip(ends, ends[1:]))
    return [_placed(file, entry, following[entry.offset]) for entry in found]


def _bytes(file: IO[bytes], at: int, count: int) -> bytes:
    if at < 0:
        raise TwoReadingsError("it lacks its beginning")
    file.seek(at)
    data = file.read(count)
    if len(data) != count:
        raise TwoReadingsError("it ends too early")
    return data


def _tail(file: IO[bytes]) -> tuple[int, bytes]:
    """Return where a file's last bytes begin, in which its end has to be, and these."""
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - _END.size - MOST_COMMENT)
    return begin, _bytes(file, begin, size - begin)


def _list_of(file: IO[bytes]) -> tuple[int, int, int]:
    """Return where the list of contents is, its length, and how many entries it has."""
    begin, tail = _tail(file)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < _END.size:
        raise TwoReadingsError("it has no end of a zip archive")
    _, disk, list_disk, here, count, length, place, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise TwoReadingsError("something follows its end")
    if disk or list_disk or here != count:
        raise TwoReadingsError("it is one of several parts")
    end = begin + at
    wide = _wide_end(file, end)
    if wide is not None:
        narrow = ((place, _LARGE), (length, _LARGE), (count, _MANY))
        for (told, most), number in zip(narrow, wide):
            if told not in (number, most):
                raise TwoReadingsError("its two ends do not say the same")
        (place, length, count), end = wide, end - _LOCATOR.size - _END64.size
    if place + length != end:
        raise TwoReadingsError("its list of contents is not where its end says")
    if length > MOST_LIST_BYTES or count > MOST_ENTRIES:
        raise TwoReadingsError(
            f"its list of contents has more than {MOST_LIST_BYTES} bytes or {MOST_ENTRIES} entries"
        )
    return place, length, count


def _wide_end(file: IO[bytes], end: int) -> tuple[int, int, int] | None:
    """Return what the end for large files says, which lies before the other; None without one."""
    if end < _LOCATOR.size:
        return None
    sign, disk, place, disks = _LOCATOR.unpack(_bytes(file, end - _LOCATOR.size, _LOCATOR.size))
    if sign != b"PK\x06\x07":
        return None
    begin = end - _LOCATOR.size - _END64.size
    sign, rest, _, _, this, list_disk, here, count, length, at = _END64.unpack(
        _bytes(file, begin, _END64.size)
    )
    if (sign, rest, place) != (b"PK\x06\x06", _END64.size - 12, begin):
        raise TwoReadingsError("its end for large files is not where it says")
    if disk or disks != 1 or this or list_disk or here != count:
        raise TwoReadingsError("it is one of several parts")
    return at, length, count


def _entries(data: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if at + _LISTED.size > len(data):
            raise TwoReadingsError("its list of contents is shorter than it says")
        (sign, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, _, offset) = (
            _LISTED.unpack_from(data, at)
        )
        name_end = at + _LISTED.size + lengths[0]
        more_end = name_end + lengths[1]
        name, more_bytes = data[at + _LISTED.size : name_end], data[name_end:more_end]
        at = more_end + lengths[2]
        if sign != b"PK\x01\x02" or at > len(data):
            raise TwoReadingsError("its list of contents is broken")
        if disk:
            raise TwoReadingsError("it is one of several parts")
        more = more_fields(more_bytes)
        size, packed, offset = _wide(more.get(_ZIP64), size, packed, offset)
        yield Entry(name, flags, method, crc, packed, size, offset, other_name(name, more))
    if at != len(data):
        raise TwoReadingsError("its list of contents is longer than it says")


def _wide(field: bytes | None, *narrow: int) -> list[int]:
    """Return numbers of the list, each of which a field of wide ones may hold in its place."""
    told = [number for number in narrow if number == _LARGE]
    if field is None:
        if told:
            raise TwoReadingsError("a size or a place in its list of contents is missing")
        return list(narrow)
    if len(field) != 8 * len(told):
        raise TwoReadingsError("a size or a place in its list of contents is told twice")
    numbers = iter(struct.unpack(f"<{len(told)}Q", field))
    return [next(numbers) if number == _LARGE else number for number in narrow]


def _check_names(entries: list[Entry], *, folds_case: bool) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.flags & _UNREADABLE:
            raise TwoReadingsError(f"{entry.name!r:.200} is encrypted")
        found = names(entry.name, is_utf8=bool(entry.flags & _UTF8))
        found |= names(entry.other_name, is_utf8=True) if entry.other_name != entry.name else set()
        if folds_case:
            found = {name.lower() for name in found}
        if found & seen:
            raise TwoReadingsError(f"{entry.name!r:.200} is there twice")
        seen |= found
        if entry.size and entry.name.endswith(b"/"):
            raise TwoReadingsError(f"the folder {entry.name!r:.200} has content")


def _placed(file: IO[bytes], entry: Entry, following: int) -> Entry:
    """Return an entry with its place, once what is told before it is what its list says."""
    head = _bytes(file, entry.offset, _LOCAL.size)
    sign, _, flags, method, _, _, crc, packed, size, *lengths = _LOCAL.unpack(head)
    told = _bytes(file, entry.offset + _LOCAL.size, sum(lengths))
    name, more = told[: lengths[0]], more_fields(told[lengths[0] :])
    same = (entry.flags & ~_LEVEL, entry.method, entry.name)
    if sign != BEGIN or (flags & ~_LEVEL, method, name) != same:
        raise _differs(entry)
    if other_name(name, more) not in (entry.name, entry.other_name):
        raise _differs(entry)
    real, wide = (entry.size, entry.packed), more.get(_ZIP64)
    unknown = (0,) if flags & _SIZES_LATER else ()
    if crc not in (entry.crc, *unknown):
        raise _differs(entry)
    widened = _wide_sizes(wide, entry, unknown)
    for told_size, number in zip((size, packed), real):
        known = (_LARGE,) if widened else ()
        if told_size not in (*unknown, *known) and (told_size != number or number >= _LARGE):
            raise _differs(entry)
    if entry.method == 0 and entry.size != entry.packed:
        raise _differs(entry)
    begin = entry.offset + _LOCAL.size + sum(lengths)
    end = begin + entry.packed
    if end > following:
        raise TwoReadingsError(f"{entry.name!r:.200} lies over what follows it")
    left = _bytes(file, end, following - end) if following - end <= 24 else None
    if left not in _ends(entry, is_wide=wide is not None):
        raise TwoReadingsError(f"something lies behind {entry.name!r:.200}")
    return entry._replace(begin=begin)


def _differs(entry: Entry) -> TwoReadingsError:
    return TwoReadingsError(f"its list says something else of {entry.name!r:.200} than is there")


def _wide_sizes(field: bytes | None, entry: Entry, unknown: tuple[int, ...]) -> bool:
    """Tell whether the field before a file holds its sizes; raises where they are others.

    torch has nothing but the file's own place there, where that is a large number.
    """
    if field is None or field == struct.pack("<Q", entry.offset):
        return False
    if len(field) != 16:
        raise _differs(entry)
    for told, number in zip(struct.unpack("<2Q", field), (entry.size, entry.packed)):
        if told not in (number, *unknown):
            raise _differs(entry)
    return True


def _ends(entry: Entry, *, is_wide: bool) -> set[bytes]:
    """Return what may lie behind a file: nothing, or its sizes where they are told later."""
    if not entry.flags & _SIZES_LATER:
        return {b""}
    if not is_wide and max(entry.packed, entry.size) < _LARGE:
        sizes = struct.pack("<3L", entry.crc, entry.packed, entry.size)
    elif entry.method == DEFLATED and not entry.size:
        return set()  # which Java takes for narrow ones, and the rest for the end of all files
    else:
        sizes = struct.pack("<L2Q", entry.crc, entry.packed, entry.size)
    return {sizes, _LATER + sizes}


def check_end(file: IO[bytes], entry: Entry) -> None:
    """Raise TwoReadingsError where a reader without the list would find another end of a file.

    It is unpacked where it says itself where it ends, and nothing before it does; no more than its
    size comes out of it.
    """
    if entry.method != DEFLATED or not entry.flags & _SIZES_LATER:
        return
    unpacking, left, size = zlib.decompressobj(-zlib.MAX_WBITS), entry.packed, 0
    file.seek(entry.begin)
    try:
        while not unpacking.eof and size <= entry.size:
            data = unpacking.unconsumed_tail
            if not data and left:
                data = file.read(min(BLOCK, left))
                left -= len(data)
            made = unpacking.decompress(data, BLOCK)
            size += len(made)
            if not data and not made:
                break
    except zlib.error as error:
        raise TwoReadingsError(f"{entry.name!r:.200} cannot be unpacked: {error}") from error
    if not unpacking.eof or unpacking.unused_data or left or size != entry.size:
        raise TwoReadingsError(f"{entry.name!r:.200} does not end where its list says")
