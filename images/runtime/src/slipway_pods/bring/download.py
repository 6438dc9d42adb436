"""Bringing a file or a folder from any URI to the disk, with a line of progress now and then."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from slipway_pods import room
from slipway_pods.store import manifest, places, store, store_errors
from slipway_runtime.termination import say

T = TypeVar("T")

PATIENCE = 600.0
"""How long a server that does not answer is asked again, in seconds."""
TELL_SECONDS = 5.0
"""How often the progress is told."""
CONCURRENT_FILES = 4
WEB = ("http://", "https://")
MIB = 1024 * 1024


class DigestError(Exception):
    """What was brought has another digest; the text is one sentence that says so."""


@dataclass(frozen=True)
class Listing:
    """What lies at a URI: the files by their path under it, each with its URI and size in bytes.

    A single file has its own name as its path. A size of None is not known beforehand.
    """

    files: Mapping[str, tuple[str, int | None]]
    is_folder: bool

    @property
    def size(self) -> int | None:
        """Size of all files in bytes; None where one is not known."""
        sizes = [size for _, size in self.files.values()]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


def look(uri: str) -> Listing:
    """Return what lies at a URI; raises a StoreError where there is nothing or it cannot be read.

    HTTP knows no folders. Elsewhere a URI that ends with a slash, or has something beneath it and
    no file, is a folder.
    """
    return _patiently(lambda: _look(uri))


def _look(uri: str) -> Listing:
    if uri.startswith(WEB):
        return Listing({file_name(uri): (uri, store.told_size(uri))}, is_folder=False)
    if not uri.endswith("/") and (size := store.file_size(uri)) is not None:
        return Listing({file_name(uri): (uri, size)}, is_folder=False)
    found = store.tree(uri)
    if len(found) > manifest.MAX_FILES:
        raise store.TooLargeError(f"{uri} has more than {manifest.MAX_FILES} files.")
    found = {path: where for path, where in found.items() if places.is_path(path)}
    if not found:
        raise store.ObjectNotFoundError(f"There is nothing at {uri}.")
    return Listing(found, is_folder=True)


def file_name(uri: str) -> str:
    """Return the last part of a URI's path, decoded as its server would; ``data`` for none."""
    path = urlsplit(uri).path if uri.startswith(WEB) else uri
    name = PurePosixPath(unquote(path) if uri.startswith(WEB) else path).name
    return name if places.is_path(name) else "data"


def bring(uri: str, folder: Path, what: str) -> Listing:
    """Bring what lies at a URI into a folder; ``what`` is how the log calls it.

    A server that does not answer is asked again for ten minutes. Raises a StoreError, or OSError
    where the disk is full.
    """
    listing, web = look(uri), uri.startswith(WEB)  # whose size may be that of compressed content
    most = room.free(folder)
    if (listing.size or 0) > most:
        raise store_errors.no_space()
    with Progress(what, folder, listing.size), ThreadPoolExecutor(CONCURRENT_FILES) as pool:
        waiting = [
            pool.submit(_bring, one, folder / path, most if size is None or web else size)
            for path, (one, size) in listing.files.items()
        ]
        try:
            for future in waiting:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return listing


def present(folder: Path) -> Listing:
    """Return what is in a folder already; raises ObjectNotFoundError where that is nothing.

    One file alone counts as a file, as if it had been brought.
    """
    found: dict[str, tuple[str, int | None]] = {
        Path(root, name).relative_to(folder).as_posix(): (name, None)
        for root, _, names in os.walk(folder)
        for name in names
    }
    if not found:
        raise store.ObjectNotFoundError(f"There is nothing in {folder}.")
    return Listing(found, is_folder=len(found) > 1)


def _bring(uri: str, target: Path, most: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _patiently(lambda: store.get_file(uri, target, most))


def _patiently(action: Callable[[], T]) -> T:
    return store.retry(action, give_up=store.unavailable_for(PATIENCE))


def check(folder: Path, listing: Listing, sha256: str, uri: str) -> None:
    """Raise DigestError where what was brought has another digest than the one asked for."""
    found = digest(folder, listing)
    if found != sha256:
        raise DigestError(
            f"{uri} has the SHA-256 {found}, not {sha256}: it was changed, or the digest is "
            "another one's."
        )


def digest(folder: Path, listing: Listing) -> str:
    """Return the digest of what was brought: the file's, or that of `tree_digest`."""
    if listing.is_folder:
        return tree_digest(folder)
    (name,) = listing.files
    return manifest.digest(folder / name)


def tree_digest(folder: Path) -> str:
    r"""Return the digest of a folder: of what ``sha256sum`` prints for its files, sorted by path.

    It is that of ``find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum |
    sha256sum`` in the folder.
    """
    paths = sorted(
        (Path(root, name).relative_to(folder).as_posix(), Path(root, name))
        for root, _, names in os.walk(folder)
        for name in names
    )
    lines = (f"{manifest.digest(path)}  {name}\n" for name, path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Progress:
    """Tells how much of a download is on the disk, now and then and at its end."""

    def __init__(
        self, what: str, folder: Path, total: int | None, pause: float = TELL_SECONDS
    ) -> None:
        self._what = what
        self._folder = folder
        self._total = total
        self._pause = pause
        self._begin = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None:
            say(self.line())

    def _work(self) -> None:
        while not self._ended.wait(self._pause):
            say(self.line())

    def line(self) -> str:
        """Return the progress so far, such as ``data: 12.0 of 48.0 MiB (25 %), 3.1 MiB/s``."""
        done = room.on_disk(self._folder)
        rate = done / max(time.monotonic() - self._begin, 1e-3) / MIB
        if self._total is None:
            return f"{self._what}: {done / MIB:.1f} MiB, {rate:.1f} MiB/s"
        done = min(done, self._total)
        share = 100 * done // self._total if self._total else 100
        whole = self._total / MIB
        return f"{self._what}: {done / MIB:.1f} of {whole:.1f} MiB ({share} %), {rate:.1f} MiB/s"
