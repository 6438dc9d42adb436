"""The artifact store, through fsspec: S3 with the usual AWS_* names; more schemes to read from.

Every failure is one of the exceptions of `slipway_pods.store.store_errors`. A URI that names no
place beneath another one is refused here, whoever it comes from: see `slipway_pods.store.places`.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import fsspec
from fsspec.callbacks import Callback

from slipway_pods.store import claims, clouds, credentials, multipart, places
from slipway_pods.store.store_errors import AccessDeniedError as AccessDeniedError
from slipway_pods.store.store_errors import BucketNotFoundError as BucketNotFoundError
from slipway_pods.store.store_errors import ChangedError as ChangedError
from slipway_pods.store.store_errors import ForbiddenUriError as ForbiddenUriError
from slipway_pods.store.store_errors import ObjectNotFoundError as ObjectNotFoundError
from slipway_pods.store.store_errors import StoreError as StoreError
from slipway_pods.store.store_errors import StoreFullError as StoreFullError
from slipway_pods.store.store_errors import StoreUnavailableError as StoreUnavailableError
from slipway_pods.store.store_errors import TooLargeError as TooLargeError
from slipway_pods.store.store_errors import UntoldError, translated
from slipway_pods.store.store_errors import brief as brief
from slipway_pods.store.store_errors import is_full as is_full
from slipway_pods.store.store_errors import is_local as is_local
from slipway_runtime.shown import shown
from slipway_runtime.termination import say

T = TypeVar("T")

MIB = 1024 * 1024
CHUNK = 8 * MIB
"""Size of one part of a transfer, in bytes; bounds the memory together with the concurrency."""
AT_ONCE = 2 * CHUNK - 1
"""Largest file that goes to the store in one request, in bytes."""
MAX_PARTS = 9000
"""S3 takes 10000 parts at most."""
_TRANSFERS: dict[str, dict[str, int]] = {
    "s3": {"chunksize": CHUNK, "max_concurrency": 2},
    "gs": {"concurrency": 1},
}
"""What keeps a file's transfer within a few parts of memory, by scheme: gcsfs would take 128 MiB
for each file of more than 100 MiB."""


def put_file(file: IO[bytes], uri: str) -> None:
    """Put an opened file at a URI, from its beginning; it appears there whole or not at all.

    A large one goes to s3 in parts. After a failure they stay there, so that the next call, in this
    process or another, goes on with them; `give_up_uploads` takes them away. Raises ChangedError
    where it gets shorter meanwhile.
    """
    size = os.fstat(file.fileno()).st_size
    chunk = max(CHUNK, -(-size // MAX_PARTS))
    with translated(uri):
        files = _filesystem(uri)
        if uri.startswith("pvc:"):
            files.put_stream(file, uri)
        elif size >= 2 * chunk:
            bucket, key, _ = files.split_path(uri)
            multipart.put(file, multipart.Key(files, bucket, key), chunk)
        else:
            file.seek(0)
            files.pipe_file(uri, file.read(size))


def unfinished_uploads(uri: str) -> list[str]:
    """Return the paths of files beneath a folder's URI of which some parts are there; sorted."""
    return sorted(path for path, _ in _unfinished(uri))


def give_up_uploads(uri: str) -> None:
    """Take away the parts of all files beneath a folder's URI that were never completed.

    Those that the credentials may not take away stay: the store's own rules for old parts do that.
    """
    with contextlib.suppress(AccessDeniedError):
        for _, upload in _unfinished(uri):
            with translated(uri):
                multipart.abort(upload)


def _unfinished(uri: str) -> list[tuple[str, multipart.Upload]]:
    """Return the unfinished uploads beneath a URI, each with the file's path under it."""
    if not uri.startswith("s3:"):
        return []
    with contextlib.suppress(UntoldError), translated(uri):
        files = _filesystem(uri)
        bucket, key, _ = files.split_path(uri.rstrip("/") + "/")
        root = key.rstrip("/") + "/"
        uploads = multipart.unfinished(files, bucket, root)
        return [(upload.to.key.removeprefix(root), upload) for upload in uploads]
    return []


def put_bytes(data: bytes, uri: str) -> None:
    """Put bytes at a URI; they appear there whole or not at all."""
    with translated(uri):
        _filesystem(uri).pipe_file(uri, data)


class _Bound(Callback):  # type: ignore[misc]
    """Ends a transfer that is larger than it may be."""

    def __init__(self, uri: str, most: int) -> None:
        super().__init__()
        self._uri = uri
        self._most = most
        self._done = 0

    def set_size(self, size: int | None) -> None:
        """Take the size in bytes that the server tells."""
        self.absolute_update(size or 0)

    def relative_update(self, inc: int = 1) -> None:
        """Take in that some bytes more are there."""
        self._done += inc
        self.absolute_update(self._done)

    def absolute_update(self, value: int) -> None:
        """Take in how many bytes are there."""
        if value > self._most:
            raise TooLargeError(
                f"{shown(self._uri)} has more than the {self._most} bytes it may have."
            )


def get_file(uri: str, path: Path, most: int) -> None:
    """Copy what lies at a URI to a local file, which must not be trusted before it is checked.

    Raises TooLargeError for more than ``most`` bytes.
    """
    options = _TRANSFERS.get(uri.partition(":")[0], {})
    with translated(uri):
        _filesystem(uri).get_file(uri, str(path), callback=_Bound(uri, most), **options)


def get_bytes(uri: str, most: int) -> bytes:
    """Return what lies at a URI; raises TooLargeError for more than ``most`` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        get_file(uri, Path(folder, "data"), most)
        return Path(folder, "data").read_bytes()


def folders(uri: str) -> list[str]:
    """Return the names of the folders right under a URI, sorted; none where nothing is there."""
    with contextlib.suppress(ObjectNotFoundError), translated(uri):
        found = _filesystem(uri).ls(uri, detail=True)
        names = (entry["name"] for entry in found if entry["type"] == "directory")
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in names)
    return []


def sizes(uri: str) -> dict[str, int]:
    """Return the files beneath a URI, by their paths under it, with their sizes in bytes."""
    with contextlib.suppress(ObjectNotFoundError), translated(uri):
        files = _filesystem(uri)
        root = str(files._strip_protocol(uri)).rstrip("/") + "/"
        found = files.find(uri, detail=True)
        return {name.removeprefix(root): int(entry["size"]) for name, entry in found.items()}
    return {}


def file_size(uri: str) -> int | None:
    """Return the size in bytes of the file at a URI; None where that is a folder."""
    with translated(uri):
        found = _filesystem(uri).info(uri)
    return int(found["size"]) if found["type"] == "file" else None


def told_size(uri: str) -> int | None:
    """Return the size in bytes that an HTTP server tells; None where it does not."""
    with translated(uri):
        size = _filesystem(uri).info(uri).get("size")
    return None if size is None else int(size)


def tree(uri: str) -> dict[str, tuple[str, int]]:
    """Return the files under a folder's URI: by path under it, their URI and size in bytes."""
    scheme = uri.partition(":")[0]
    with translated(uri):
        files = _filesystem(uri)
        files.invalidate_cache()
        root = str(files._strip_protocol(uri)).rstrip("/")
        found = files.find(root, detail=True)
    return {
        path[len(root) + 1 :]: (f"{scheme}://{path}", int(about.get("size") or 0))
        for path, about in found.items()
        if about.get("type") == "file" and not path.endswith("/")
    }


def delete(uri: str) -> None:
    """Take away what lies at a URI; nothing there is no error."""
    with contextlib.suppress(ObjectNotFoundError), translated(uri):
        _filesystem(uri).rm_file(uri)


def retry(
    action: Callable[[], T],
    *,
    give_up: Callable[[StoreError, float], bool],
    tell: Callable[[str], None] = say,
    pause: float = 1.0,
    longest_pause: float = 15.0,
) -> T:
    """Do an action until it succeeds, with a pause that doubles from ``pause`` seconds on.

    ``give_up`` is asked after each failure, with the error and the seconds since the first one of
    its kind in a row; the error is raised where it says yes. A store that was away for hours and
    then says "no" while it starts has said so for no time yet. What failed
    while the credentials were renewed is tried with the new ones at once.
    """
    first, kind = time.monotonic(), StoreError
    while True:
        opened = credentials.current()
        try:
            return action()
        except StoreError as error:
            if opened != credentials.current():
                continue
            now = time.monotonic()
            if type(error) is not kind:
                first, kind = now, type(error)
            if give_up(error, now - first):
                raise
            tell(f"{error} Another try follows in {pause:g} s.")
        time.sleep(pause)
        pause = min(2 * pause, longest_pause)


def unavailable_for(seconds: float) -> Callable[[StoreError, float], bool]:
    """Return a rule for `retry`: only an unavailable store is tried again, for some seconds."""

    def give_up(error: StoreError, waited: float) -> bool:
        return not isinstance(error, StoreUnavailableError) or waited > seconds

    return give_up


def _filesystem(uri: str) -> Any:
    """Return the file system of a URI, with the credentials as they are now."""
    try:
        places.check_uri(uri)
    except ValueError as error:
        raise ForbiddenUriError(f"{shown(uri)[:300]!r} is refused: {error}.") from error
    scheme, opened = uri.partition(":")[0], credentials.current()
    if scheme == "s3":
        options = clouds.s3_options(opened)
        return fsspec.filesystem("s3", anon=False, use_listings_cache=False, **options)
    if scheme in ("http", "https"):
        return fsspec.filesystem(scheme, client_kwargs=clouds.web_options(opened))
    if scheme == claims.SCHEME:
        return claims.ClaimFileSystem()
    if scheme in clouds.SCHEMES:
        return clouds.filesystem(scheme, opened)
    raise StoreError(
        f"{uri} cannot be read: write a URI that begins with s3://, gs://, az://, hf://, http:// "
        "or https://."
    )
