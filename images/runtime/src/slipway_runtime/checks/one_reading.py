"""Whether a zip file holds the same files for each of its readers.

A zip file says what it holds twice: before each file, and in a list at its end. Python finds the
list before the end, wherever the end says that it is; torch goes where it says, and takes "A" for
"a"; Java's ZipInputStream, by which TorchServe unpacks, looks at no list at all. A file that says
two things could so be judged by what one of them sees, and loaded as what another does. Files of
`torch.save`, Python, torch-model-archiver, ``zip``, ``git archive`` and ``jar`` say one.

Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 to 4.6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from slipway_runtime.checks.zip_end import END, LARGE, bytes_at, list_of, tail_of
from slipway_runtime.checks.zip_names import TwoReadingsError as TwoReadingsError
from slipway_runtime.checks.zip_names import more_fields, names, other_name

BEGIN = b"PK\x03\x04"
"""What a zip file with files in it begins with, and each of them."""
DEFLATED = 8
"""The method of compression that ends by itself."""
MOST_RATIO = 200
"""How many times its own size may come out of what is unpacked, beyond `SMALL_BYTES`."""
SMALL_BYTES = 256 << 20
"""What may come out of anything, in bytes."""
BLOCK = 1 << 20
"""How much is unpacked at a time, in bytes."""

_LOCAL = struct.Struct("<4s5H3L2H")
_LISTED = struct.Struct("<4s6H3L5H2L")
_LATER = b"PK\x07\x08"
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
    return begins(file) or END in tail_of(file)[1]


def check(file: IO[bytes], *, folds_case: bool = False) -> list[Entry]:
    """Return what a zip file holds, in the order of its list.

    With ``folds_case`` two names that differ in nothing else are the same name, as for torch.
    Raises TwoReadingsError, whose text is the end of a sentence, where there are two readings of
    it, or none; OSError. Memory is bounded, and no file is unpacked but where nothing else tells
    its end.
    """
    entries = listed(file, folds_case=folds_case)
    check_ends(file, entries)
    return entries


def listed(file: IO[bytes], *, folds_case: bool = False) -> list[Entry]:
    """Return what a zip file holds as `check` does, which also unpacks what has to be."""
    place, length, count = list_of(file)
    found = list(_entries(bytes_at(file, place, length), count))
    _check_names(found, folds_case=folds_case)
    ends = [*sorted(entry.offset for entry in found), place]
    if ends[0] != 0:
        raise TwoReadingsError("it does not begin with its first file")
    if found and ends[-2] >= place:
        raise TwoReadingsError("one of its files is not before its list of contents")
    following = dict(zip(ends, ends[1:]))
    return [_placed(file, entry, following[entry.offset]) for entry in found]


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
    told = [number for number in narrow if number == LARGE]
    if field is None:
        if told:
            raise TwoReadingsError("a size or a place in its list of contents is missing")
        return list(narrow)
    if len(field) != 8 * len(told):
        raise TwoReadingsError("a size or a place in its list of contents is told twice")
    numbers = iter(struct.unpack(f"<{len(told)}Q", field))
    return [next(numbers) if number == LARGE else number for number in narrow]


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
    head = bytes_at(file, entry.offset, _LOCAL.size)
    sign, _, flags, method, _, _, crc, packed, size, *lengths = _LOCAL.unpack(head)
    told = bytes_at(file, entry.offset + _LOCAL.size, sum(lengths))
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
        known = (LARGE,) if widened else ()
        if told_size not in (*unknown, *known) and (told_size != number or number >= LARGE):
            raise _differs(entry)
    if entry.method == 0 and entry.size != entry.packed:
        raise _differs(entry)
    begin = entry.offset + _LOCAL.size + sum(lengths)
    end = begin + entry.packed
    if end > following:
        raise TwoReadingsError(f"{entry.name!r:.200} lies over what follows it")
    left = bytes_at(file, end, following - end) if following - end <= 24 else None
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
    if not is_wide and max(entry.packed, entry.size) < LARGE:
        sizes = struct.pack("<3L", entry.crc, entry.packed, entry.size)
    elif entry.method == DEFLATED and not entry.size:
        return set()  # which Java takes for narrow ones, and the rest for the end of all files
    else:
        sizes = struct.pack("<L2Q", entry.crc, entry.packed, entry.size)
    return {sizes, _LATER + sizes}


def check_ends(file: IO[bytes], entries: list[Entry]) -> None:
    """Raise TwoReadingsError where a reader without the list would find another end of a file.

    Files are unpacked that say themselves where they end, if nothing before them does. No more
    comes out of one than its size, nor of all than there may.
    """
    ending = [one for one in entries if one.method == DEFLATED and one.flags & _SIZES_LATER]
    most = max(SMALL_BYTES, MOST_RATIO * sum(entry.packed for entry in ending))
    if sum(entry.size for entry in ending) > most:
        raise TwoReadingsError(f"more than the {most} bytes that may would come out of it")
    for entry in ending:
        _check_end(file, entry)


def _check_end(file: IO[bytes], entry: Entry) -> None:
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
