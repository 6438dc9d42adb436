"""Where a zip file's list of contents is, as all readers find it that look for one."""

from __future__ import annotations

import os
import struct
from typing import IO

from slipway_runtime.checks.zip_names import TwoReadingsError

END = b"PK\x05\x06"
"""What a zip file's end begins with, and so one without files."""
MOST_LIST_BYTES = 32 << 20
"""Longest list of a file's contents that is read, in bytes."""
MOST_ENTRIES = 200_000
"""Most files and folders in it."""
MOST_COMMENT = 0xFFFF
"""Longest comment behind the list, in bytes."""
LARGE = 0xFFFFFFFF
"""What stands for a number that is told in a wider field."""

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MANY = 0xFFFF


def bytes_at(file: IO[bytes], at: int, count: int) -> bytes:
    """Return bytes of a file; raises TwoReadingsError where it has none there."""
    if at < 0:
        raise TwoReadingsError("it lacks its beginning")
    file.seek(at)
    data = file.read(count)
    if len(data) != count:
        raise TwoReadingsError("it ends too early")
    return data


def tail_of(file: IO[bytes]) -> tuple[int, bytes]:
    """Return where a file's last bytes begin, in which its end has to be, and these."""
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - _END.size - MOST_COMMENT)
    return begin, bytes_at(file, begin, size - begin)


def list_of(file: IO[bytes]) -> tuple[int, int, int]:
    """Return where the list of contents is, its length, and how many entries it has.

    Raises TwoReadingsError where readers would find another one, or it is too long.
    """
    begin, tail = tail_of(file)
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
        narrow = ((place, LARGE), (length, LARGE), (count, _MANY))
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
    sign, disk, place, disks = _LOCATOR.unpack(bytes_at(file, end - _LOCATOR.size, _LOCATOR.size))
    if sign != b"PK\x06\x07":
        return None
    begin = end - _LOCATOR.size - _END64.size
    sign, rest, _, _, this, list_disk, here, count, length, at = _END64.unpack(
        bytes_at(file, begin, _END64.size)
    )
    if (sign, rest, place) != (b"PK\x06\x06", _END64.size - 12, begin):
        raise TwoReadingsError("its end for large files is not where it says")
    if disk or disks != 1 or this or list_disk or here != count:
        raise TwoReadingsError("it is one of several parts")
    return at, length, count
