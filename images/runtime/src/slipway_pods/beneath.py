"""Files of a folder that somebody else writes to: opened once, and never outside of the folder.

A path is walked part by part from the folder's own descriptor, without the kernel following a link.
Links are followed here, where they stay inside; ``..`` goes back along the way that was come. So
whatever is renamed or replaced meanwhile, what is opened was beneath the folder. openat2(2) with
RESOLVE_BENEATH does the same in one call, but is not in every kernel and sandbox.
"""

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

MAX_DEPTH = 128
"""Most folders within each other."""
MAX_LINKS = 40
"""Most links on the way to one file, as the kernel has it."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OutsideError(OSError):
    """A path leads out of its folder."""


class SpecialError(OSError):
    """A path names no regular file: a folder, a pipe, a socket or a device."""


@dataclass(frozen=True)
class Entry:
    """Something in a folder by its path; ``problem`` says why it is no file that can be read.

    ``lost`` marks a problem of permissions or depth: there is content that nobody can reach.
    """

    path: str
    size: int = 0
    problem: str = ""
    lost: bool = False


class Folder:
    """A folder, held open; a context manager that closes it."""

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> "Folder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def open(self, path: str) -> IO[bytes]:
        """Open a regular file to read.

        Raises OutsideError, SpecialError, or another OSError as open(2) does.
        """
        fd = self.descriptor(path)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SpecialError(errno.EINVAL, "it is no regular file", path)
            return os.fdopen(fd, "rb")
        except BaseException:
            os.close(fd)
            raise

    def read(self, path: str, most: int) -> bytes:
        """Return a regular file's first ``most + 1`` bytes, so that a longer one can be told."""
        with self.open(path) as file:
            return file.read(most + 1)

    def names(self, most: int) -> list[str]:
        """Return the names of the first ``most`` things right in the folder."""
        with os.scandir(self._fd) as entries:
            return [entry.name for entry, _ in zip(entries, range(most), strict=False)]

    def folders(self, path: str = "") -> list[str]:
        """Return the names of the folders right in a folder, sorted; a link is none."""
        fd = self.descriptor(path)
        try:
            with os.scandir(fd) as entries:
                return sorted(one.name for one in entries if one.is_dir(follow_symlinks=False))
        finally:
            os.close(fd)

    def walk(self, path: str = "") -> Iterator[Entry]:
        """Yield all that is beneath the folder but the folders, sorted in each folder."""
        try:
            fd = self.descriptor(path) if path else os.dup(self._fd)
        except OSError as error:
            yield Entry(path, problem=f"the folder cannot be read ({error.strerror})", lost=True)
            return
        try:
            yield from self._walk(fd, f"{path}/" if path else "", 1)
        finally:
            os.close(fd)

    def _walk(self, folder: int, prefix: str, depth: int) -> Iterator[Entry]:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            path = prefix + name
            about = _about(name, folder)
            if about is None:
                continue  # it went meanwhile
            if stat.S_ISDIR(about.st_mode):
                yield from self._enter(name, folder, path, depth)
            else:
                yield self._entry(path, about)

    def _enter(self, name: str, folder: int, path: str, depth: int) -> Iterator[Entry]:
        if depth >= MAX_DEPTH:
            why = f"it is within more than {MAX_DEPTH} folders"
            yield Entry(path, problem=why, lost=True)
            return
        try:
            inner = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=folder)
        except OSError as error:
            yield Entry(path, problem=f"the folder cannot be read ({error.strerror})", lost=True)
            return
        try:
            yield from self._walk(inner, f"{path}/", depth + 1)
        finally:
            os.close(inner)

    def _entry(self, path: str, about: os.stat_result) -> Entry:
        link = stat.S_ISLNK(about.st_mode)
        if not link and not stat.S_ISREG(about.st_mode):
            return Entry(path, problem="it is a pipe, a socket or a device")
        try:
            with self.open(path) as file:
                return Entry(path, os.fstat(file.fileno()).st_size)
        except (OutsideError, SpecialError, FileNotFoundError) as error:
            return Entry(path, problem=_link_problem(error) if link else "it went meanwhile")
        except OSError as error:
            return Entry(path, problem=f"it cannot be read ({error.strerror})", lost=not link)

    def descriptor(self, path: str) -> int:
        """Return a descriptor for what a path names beneath the folder; the caller closes it."""
        way, parts, links = [os.dup(self._fd)], deque(path.split("/")), 0
        try:
            while parts:
                part = parts.popleft()
                if part in ("", "."):
                    continue
                if part == "..":
                    _step_back(way, path)
                    continue
                try:
                    _step(way, part, path)
                except OSError as error:
                    if error.errno != errno.ELOOP or links == MAX_LINKS:
                        raise
                    links += 1
                    parts.extendleft(reversed(self._follow(way, part, path)))
            return way.pop()
        finally:
            for fd in way:
                os.close(fd)

    def _follow(self, way: list[int], link: str, path: str) -> list[str]:
        """Return the parts that a link stands for; an absolute one must begin with the folder."""
        try:
            target = os.readlink(link, dir_fd=way[-1])
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return [link]  # it is no link any more
        if not target.startswith("/"):
            return target.split("/")
        here = f"{self._path}/"
        if not target.startswith(here):
            raise OutsideError(errno.EXDEV, "it leads out of the folder", path)
        while len(way) > 1:
            os.close(way.pop())
        return target.removeprefix(here).split("/")


def _step(way: list[int], part: str, path: str) -> None:
    if len(way) > MAX_DEPTH:
        raise OutsideError(errno.ENAMETOOLONG, "it is within too many folders", path)
    way.append(os.open(part, _FLAGS, dir_fd=way[-1]))


def _step_back(way: list[int], path: str) -> None:
    if len(way) == 1:
        raise OutsideError(errno.EXDEV, "it leads out of the folder", path)
    os.close(way.pop())


def _about(name: str, folder: int) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def _link_problem(error: OSError) -> str:
    if isinstance(error, SpecialError):
        return "it is a link to a folder or to no regular file"
    if isinstance(error, OutsideError):
        return "it is a link that leads out"
    return "it is a link to nothing"
