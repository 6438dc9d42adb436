"""Unpacking a tar or zip archive into a folder, and nowhere else.

An archive is its author's: it is bounded in entries and in size, no link in it leads out once all
are made, and it is read to its very end, since tarfile itself never looks at gzip's check sum.
"""

import contextlib
import errno
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from slipway_pods import room
from slipway_pods.store import store_errors
from slipway_runtime.checks import one_reading, zip_end

EXECUTABLE = 0o111
BLOCK = 1024 * 1024
MAX_ENTRIES = zip_end.MOST_ENTRIES
"""Most files, folders and links of an archive."""
MAX_BYTES = 64 * 1024**3
"""Most that an archive may hold, in bytes; the disk may have less."""
MAX_RATIO = one_reading.MOST_RATIO
"""How many times its own size an archive may hold, beyond `SMALL_BYTES`."""
SMALL_BYTES = one_reading.SMALL_BYTES
"""What any archive may hold, in bytes."""

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    ValueError,
    OverflowError,
    RuntimeError,  # zipfile: the file is encrypted; NotImplementedError: compressed by Deflate64
    IsADirectoryError,
    NotADirectoryError,
    FileExistsError,
)
"""What the libraries raise for an archive that is broken, or of a kind that they do not know."""
_NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT)
"""What Linux says of names and of a link's target that no file can have: too long or empty ones."""


class ArchiveError(Exception):
    """The file is no archive that can be unpacked; the text is one sentence that says why."""


def unpack(path: Path, folder: Path) -> None:
    """Unpack ``.zip`` or ``.tar``, plain or compressed by gzip, bzip2 or xz, by its content.

    Links that lead out of it, devices and the like are left out. Raises ArchiveError for a name
    that leads out of the folder, for more than there may be, and for a file that is broken or of
    another kind; OSError where the disk does not do its part.
    """
    folder.mkdir(parents=True, exist_ok=True)
    budget = Budget(path.stat().st_size, room.free(folder))
    with readable():
        with path.open("rb") as file:
            is_zip = one_reading.begins(file)
            if is_zip:
                one_reading.check(file)
        if is_zip:
            _unpack_zip(path, folder, budget)
        else:
            _unpack_tar(path, folder, budget)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn what the libraries raise for a file that is no good archive into an ArchiveError."""
    try:
        yield
    except _BROKEN as error:
        raise _refused(error) from error
    except OSError as error:
        # gzip and bz2 raise one without a number for broken content
        if error.errno is not None and error.errno not in _NO_NAME:
            raise
        raise _refused(error) from error


def _refused(error: Exception) -> ArchiveError:
    why = store_errors.brief(error).rstrip(".")
    return ArchiveError(f"The archive cannot be unpacked ({why}): make a .tar, .tar.gz or .zip.")


class Budget:
    """How much may still come out of an archive; ``size`` and ``free`` are in bytes."""

    def __init__(self, size: int, free: int) -> None:
        self._entries = MAX_ENTRIES
        self._most = min(MAX_BYTES, max(SMALL_BYTES, size * MAX_RATIO))
        self._bytes = self._most
        self._free = free

    def enter(self) -> None:
        """Take one entry in; raises ArchiveError where there are too many."""
        self._entries -= 1
        if self._entries < 0:
            raise ArchiveError(f"The archive has more than {MAX_ENTRIES} entries: make it smaller.")

    def take(self, count: int) -> None:
        """Take bytes in; raises ArchiveError for too many, OSError where the disk is full."""
        self._bytes -= count
        self._free -= count
        if self._bytes < 0:
            raise ArchiveError(
                f"The archive holds more than the {self._most} bytes that one of its size may: "
                "make it smaller, or compress it less."
            )
        if self._free < 0:
            raise store_errors.no_space()


def _unpack_zip(path: Path, folder: Path, budget: Budget) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            budget.enter()
            if not member.is_dir():
                with archive.open(member) as content:
                    executable = bool(member.external_attr >> 16 & EXECUTABLE)
                    target = _target(folder, member.filename)
                    _write(content, target, budget, executable=executable)


def _unpack_tar(path: Path, folder: Path, budget: Budget) -> None:
    """Write the files first and the links last, so that nothing is written through a link."""
    links: list[tuple[Path, str]] = []
    with tarfile.open(path) as archive:
        for member in archive:
            budget.enter()
            if member.issym():
                links.append((_target(folder, member.name), member.linkname))
            elif member.isreg() or member.islnk():
                content = archive.extractfile(member)
                if content is not None:
                    executable = bool(member.mode & EXECUTABLE)
                    target = _target(folder, member.name)
                    _write(content, target, budget, executable=executable)
        _read_to_the_end(archive, budget)
    _link_all(links, folder)


def _read_to_the_end(archive: tarfile.TarFile, budget: Budget) -> None:
    """Read what follows the last entry: the check sum of all is behind it."""
    stream = archive.fileobj
    while stream is not None and (rest := stream.read(BLOCK)):
        budget.take(len(rest))


def _link_all(links: list[tuple[Path, str]], folder: Path) -> None:
    """Make the links, and take away those that lead out when all are there.

    What a link leads to depends on the others, so that none can be judged alone.
    """
    inside = folder.resolve()
    made = []
    for link, target in links:
        if _stays(link.parent, inside) and not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
            made.append(link)
    while leading_out := [link for link in made if not _stays(link, inside)]:
        for link in leading_out:
            link.unlink()
            made.remove(link)


def _stays(path: Path, inside: Path) -> bool:
    try:
        return path.resolve().is_relative_to(inside)
    except (OSError, RuntimeError):  # links that never end
        return False


def _target(folder: Path, name: str) -> Path:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\0" in name:
        raise ArchiveError(
            f"The archive has a file {name!r}, which leads out of it: make it again with relative "
            "names."
        )
    return folder / inside


def _write(content: IO[bytes], target: Path, budget: Budget, *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while block := content.read(BLOCK):
            budget.take(len(block))
            file.write(block)
    if executable:
        target.chmod(0o755)
