"""Folders of PersistentVolumeClaims as a store: ``pvc://CLAIM/PATH``.

The claims are mounted under ``SLIPWAY_CLAIMS_DIR``, each under its own name. A file gets its name
when it is whole and on the disk; readers of other pods see all of it or nothing. Others write there
too: no link leads out of a claim (see `slipway_pods.beneath`), and none is written through.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from fsspec.callbacks import Callback

from slipway_pods import beneath

SCHEME = "pvc"
_PREFIX = f"{SCHEME}://"
TRIES = 3
"""How often a file is begun: another pod may take its folder away while that is empty."""
BLOCK = 1024 * 1024
"""How much is copied at a time, in bytes."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ClaimFileSystem:
    """The claims that are mounted here, with those of fsspec's methods that a store needs.

    Paths are ``CLAIM/PATH``. Whoever fails to write one raises an error with a cause.
    """

    @staticmethod
    def _strip_protocol(uri: str) -> str:
        return uri.removeprefix(_PREFIX).rstrip("/")

    def get_file(self, uri: str, target: str, callback: Callback) -> None:
        """Copy a file of a claim; the callback is told how many bytes it has, and of each block."""
        claim, path = _split(uri)
        with claim, claim.open(path) as file, Path(target).open("wb") as copy:
            callback.set_size(os.fstat(file.fileno()).st_size)
            while block := file.read(BLOCK):
                callback.relative_update(len(block))
                copy.write(block)

    def find(self, uri: str, **_: Any) -> dict[str, dict[str, Any]]:
        """Return the files beneath a folder, or the one file, by their paths, with their sizes.

        Raises OSError where a folder cannot be read: what is in it is not to be taken for gone.
        """
        claim, path = _split(uri)
        root = self._strip_protocol(uri)
        with claim:
            with contextlib.suppress(beneath.SpecialError), claim.open(path) as file:
                return {root: {"size": os.fstat(file.fileno()).st_size}}
            entries = list(claim.walk(path))
        for entry in entries:
            if entry.lost:
                raise PermissionError(errno.EACCES, entry.problem, entry.path)
        skipped = len(path) + 1 if path else 0
        files = (entry for entry in entries if not entry.problem)
        return {f"{root}/{entry.path[skipped:]}": {"size": entry.size} for entry in files}

    def ls(self, uri: str, **_: Any) -> list[dict[str, Any]]:
        """Return the folders right under a folder."""
        claim, path = _split(uri)
        root = self._strip_protocol(uri)
        with claim:
            names = claim.folders(path)
        return [{"name": f"{root}/{name}", "type": "directory"} for name in names]

    def put_stream(self, file: IO[bytes], uri: str) -> None:
        """Copy an opened file, from its beginning, to a path."""

        def fill(target: IO[bytes]) -> None:
            file.seek(0)
            shutil.copyfileobj(file, target, BLOCK)

        self._write(uri, fill)

    def pipe_file(self, uri: str, value: bytes) -> None:
        """Write bytes to a path."""
        self._write(uri, lambda target: target.write(value))

    def rm_file(self, uri: str) -> None:
        """Delete a file, and the folders above it that are empty then."""
        claim, path = _split(uri)
        with claim:
            _in_folder(claim, path, os.unlink)
            with contextlib.suppress(OSError):
                while path := path.rpartition("/")[0]:
                    _in_folder(claim, path, os.rmdir)

    def _write(self, uri: str, fill: Callable[[IO[bytes]], object]) -> None:
        for tried in range(1, TRIES + 1):
            try:
                _write_whole(uri, fill)
            except FileNotFoundError as error:
                if tried == TRIES:
                    raise OSError(error.errno, str(error)) from error
            except OSError as error:
                raise type(error)(error.errno, str(error)) from error
            else:
                return


def _split(uri: str) -> tuple[beneath.Folder, str]:
    """Return a URI's claim, opened, and the path in it."""
    name, _, path = uri.removeprefix(_PREFIX).partition("/")
    return beneath.Folder(Path(os.environ["SLIPWAY_CLAIMS_DIR"], name)), path.rstrip("/")


def _in_folder(claim: beneath.Folder, path: str, act: Callable[..., None]) -> None:
    """Do something to a name in its folder, whose descriptor is given as ``dir_fd``."""
    folder, _, name = path.rpartition("/")
    at = claim.descriptor(folder)
    try:
        act(name, dir_fd=at)
    finally:
        os.close(at)


def _make_folders(claim: beneath.Folder, path: str) -> None:
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        with contextlib.suppress(FileExistsError):
            _in_folder(claim, "/".join(parts[:end]), os.mkdir)


def _write_whole(uri: str, fill: Callable[[IO[bytes]], object]) -> None:
    claim, path = _split(uri)
    with claim:
        folder, _, name = path.rpartition("/")
        if folder:
            _make_folders(claim, folder)
        at = claim.descriptor(folder)
        try:
            _write_in(at, name, fill)
        finally:
            os.close(at)


def _write_in(folder: int, name: str, fill: Callable[[IO[bytes]], object]) -> None:
    partial = f".part-{name}"
    _unlink(partial, folder)
    try:
        with os.fdopen(os.open(partial, _NEW, 0o666, dir_fd=folder), "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _unlink(partial, folder)
        raise


def _unlink(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
