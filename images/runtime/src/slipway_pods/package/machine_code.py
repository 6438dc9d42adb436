"""What an archive's model was compiled for, which is read of its file within the archive.

What torch loads is what is read here: a file of two readings is refused, whatever it is.

The training's script wrote that file, so it is read as an enemy's: nothing in it is loaded, and of
its parts no more than a bound is read, however large it is.
"""

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import IO

from slipway_handlers.formats import compiled
from slipway_pods.package.built_in import PROGRAM
from slipway_pods.package.mar import MANIFEST, ArchiveError
from slipway_runtime.checks import one_reading

MOST_BYTES = 16 << 20
"""Most bytes of a model's file that are read: a hundred thousand entries of a zip's directory."""
MOST_CHECKED = 1 << 50
"""Most bytes of a model's file that are looked at, for whether all its readers see the same in it:
its content is unpacked where nothing else tells its end, and kept nowhere."""
LOCAL_HEADER = struct.Struct("<26xHH")
"""The zip's own words before an entry end with the lengths of its name and of what is more."""


class _Part:
    """Bytes of a file from one place to another, of which a bound is read; a file to zipfile."""

    def __init__(self, file: IO[bytes], begin: int, size: int, most: int) -> None:
        self._file, self._begin, self._size = file, begin, size
        self._at, self.left = 0, most

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the part."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the part; raises OSError for one before it."""
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}
        place = origins[whence] + offset
        if place < 0:
            raise OSError("a place before the file")
        self._at = place
        return place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raises OSError where more were asked for than the bound."""
        there = max(self._size - self._at, 0)
        wanted = there if size < 0 else min(size, there)
        self.left -= wanted
        if self.left < 0:
            raise OSError("more than the bound")
        self._file.seek(self._begin + self._at)
        data = self._file.read(wanted)
        self._at += len(data)
        return data


def compiled_for(archive: Path, *, must_tell: bool) -> dict[str, str] | None:
    """Return what the model in an archive that was made here was compiled for; None if it was not.

    Raises ArchiveError for a file that torch could read otherwise, or with too long a directory
    and, where it ``must_tell``, as a handler of the release loads it, for a compiled one that does
    not.
    """
    with zipfile.ZipFile(archive) as bundle:
        named = json.loads(bundle.read(MANIFEST))["model"].get("serializedFile") or ""
        if not named:
            return None
        entry = bundle.getinfo(named)
    with archive.open("rb") as file:
        file.seek(entry.header_offset)
        lengths = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        begin = entry.header_offset + LOCAL_HEADER.size + sum(lengths)
        _check_reading(_Part(file, begin, entry.file_size, MOST_CHECKED), named)
        if not named.endswith(PROGRAM):
            return None
        return _told(_Part(file, begin, entry.file_size, MOST_BYTES), named, must_tell)


def _check_reading(part: _Part, named: str) -> None:
    """Raise ArchiveError where a model's file is a zip, and one that readers differ about.

    torch takes a file of weights for a zip by how it begins, and any program for one.
    """
    file: IO[bytes] = part  # type: ignore[assignment]
    is_zip = one_reading.may_be if named.endswith(PROGRAM) else one_reading.begins
    try:
        if is_zip(file):
            one_reading.check(file, folds_case=True)
    except one_reading.TwoReadingsError as error:
        raise ArchiveError(
            f"{named} is read differently by torch and by others ({error}): write it by torch.save "
            "or slipway.export, and change nothing in it."
        ) from error


def _told(part: _Part, named: str, must_tell: bool) -> dict[str, str] | None:
    try:
        found = compiled.target(part)  # type: ignore[arg-type]
    except ValueError as error:
        if must_tell:
            raise ArchiveError(f"{named}: {error}.") from error
        return None
    if part.left < 0:
        raise ArchiveError(f"{named} has a directory of more than {MOST_BYTES >> 20} MiB.")
    return None if found is None else {"cpu": found.cpu, "torch": found.torch}
