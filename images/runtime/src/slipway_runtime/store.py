"""The artifact store, through fsspec: S3 with the usual AWS_* names; more schemes to read from.

Every failure is one of a small tree of exceptions whose ``reason`` is a constant for conditions and
whose text is one sentence that says what to do.
"""

import contextlib
import errno
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import botocore.exceptions
import fsspec
from fsspec.exceptions import FSTimeoutError

from slipway_runtime import claims, clouds, credentials, multipart
from slipway_runtime.shown import scrubbed, shown
from slipway_runtime.termination import say

T = TypeVar("T")

MIB = 1024 * 1024
CHUNK = 8 * MIB
"""Size of one part of a transfer, in bytes; bounds the memory together with the concurrency."""
MAX_PARTS = 9000
"""S3 takes 10000 parts at most."""

_UNAVAILABLE = (
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
    aiohttp.ClientConnectionError,
    aiohttp.ClientPayloadError,
    FSTimeoutError,
    ConnectionError,
    TimeoutError,
)
_DENIED = frozenset({"XAdminUserNotFound", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"})
"""Codes for credentials that open nothing any more, whatever the status beside them; the first is
versitygw's, with status 404, for an access key that it does not know."""


_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity", "StorageFull"})
"""Codes of S3 servers whose disk or quota is full."""


_DISK_AWAY = frozenset({errno.EIO, errno.ESTALE, errno.EHOSTDOWN})
"""What a mounted volume whose server is away says."""


class StoreError(Exception):
    """A request to the store failed for good."""

    reason = "StoreError"


class StoreUnavailableError(StoreError):
    """The store does not answer, or says that it cannot serve now: worth another try."""

    reason = "StoreUnavailable"


class AccessDeniedError(StoreError):
    """The credentials are missing, wrong, or not enough."""

    reason = "AccessDenied"


class BucketNotFoundError(StoreError):
    """The bucket does not exist."""

    reason = "BucketNotFound"


class StoreFullError(StoreError):
    """The store, or the share of it that is ours, is full."""

    reason = "StoreFull"


class ObjectNotFoundError(StoreError):
    """There is nothing at the URI."""

    reason = "ObjectNotFound"


def put_file(path: Path, uri: str) -> None:
    """Put a local file at a URI; it appears there whole or not at all.

    A large one goes to s3 in parts. After a failure they stay there, so that the next call, in this
    process or another, goes on with them; `give_up_uploads` takes them away.
    """
    size = path.stat().st_size
    chunk = max(CHUNK, -(-size // MAX_PARTS))
    with _translated(uri):
        files = _filesystem(uri)
        if uri.startswith("s3:") and size >= 2 * chunk:
            bucket, key, _ = files.split_path(uri)
            multipart.put(path, multipart.Key(files, bucket, key), chunk)
        else:
            files.put_file(str(path), uri)


def unfinished_uploads(uri: str) -> list[str]:
    """Return the paths of files beneath a folder's URI of which some parts are there; sorted."""
    return sorted(path for path, _ in _unfinished(uri))


def give_up_uploads(uri: str) -> None:
    """Take away the parts of all files beneath a folder's URI that were never completed."""
    for _, upload in _unfinished(uri):
        with _translated(uri):
            multipart.abort(upload)


def _unfinished(uri: str) -> list[tuple[str, multipart.Upload]]:
    """Return the unfinished uploads beneath a URI, each with the file's path under it."""
    if not uri.startswith("s3:"):
        return []
    with contextlib.suppress(multipart.UntoldError), _translated(uri):
        files = _filesystem(uri)
        bucket, key, _ = files.split_path(uri.rstrip("/") + "/")
        root = key.rstrip("/") + "/"
        uploads = multipart.unfinished(files, bucket, root)
        return [(upload.to.key.removeprefix(root), upload) for upload in uploads]
    return []


def put_bytes(data: bytes, uri: str) -> None:
    """Put bytes at a URI; they appear there whole or not at all."""
    with _translated(uri):
        _filesystem(uri).pipe_file(uri, data)


def get_file(uri: str, path: Path) -> None:
    """Copy what lies at a URI to a local file, which must not be trusted before it is checked."""
    options = {"chunksize": CHUNK, "max_concurrency": 2} if uri.startswith("s3:") else {}
    with _translated(uri):
        _filesystem(uri).get_file(uri, str(path), **options)


def get_bytes(uri: str) -> bytes:
    """Return what lies at a URI."""
    with _translated(uri):
        return bytes(_filesystem(uri).cat_file(uri))


def folders(uri: str) -> list[str]:
    """Return the names of the folders right under a URI, sorted; none where nothing is there."""
    with contextlib.suppress(ObjectNotFoundError), _translated(uri):
        found = _filesystem(uri).ls(uri, detail=True)
        names = (entry["name"] for entry in found if entry["type"] == "directory")
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in names)
    return []


def sizes(uri: str) -> dict[str, int]:
    """Return the files beneath a URI, by their paths under it, with their sizes in bytes."""
    with contextlib.suppress(ObjectNotFoundError), _translated(uri):
        files = _filesystem(uri)
        root = str(files._strip_protocol(uri)).rstrip("/") + "/"
        found = files.find(uri, detail=True)
        return {name.removeprefix(root): int(entry["size"]) for name, entry in found.items()}
    return {}


def file_size(uri: str) -> int | None:
    """Return the size in bytes of the file at a URI; None where that is a folder."""
    with _translated(uri):
        found = _filesystem(uri).info(uri)
    return int(found["size"]) if found["type"] == "file" else None


def told_size(uri: str) -> int | None:
    """Return the size in bytes that an HTTP server tells; None where it does not."""
    with _translated(uri):
        size = _filesystem(uri).info(uri).get("size")
    return None if size is None else int(size)


def tree(uri: str) -> dict[str, tuple[str, int]]:
    """Return the files under a folder's URI: by path under it, their URI and size in bytes."""
    scheme = urlsplit(uri).scheme
    with _translated(uri):
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
    with contextlib.suppress(ObjectNotFoundError), _translated(uri):
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
    scheme, opened = urlsplit(uri).scheme, credentials.current()
    if scheme == "s3":
        return fsspec.filesystem("s3", anon=False, use_listings_cache=False, **s3_options(opened))
    if scheme in ("http", "https"):
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        client = {"timeout": timeout, "trust_env": True, **clouds.http_credentials(opened)}
        return fsspec.filesystem(scheme, client_kwargs=client)
    if scheme == claims.SCHEME:
        return claims.ClaimFileSystem()
    if scheme in clouds.SCHEMES:
        return clouds.filesystem(scheme, opened)
    raise StoreError(
        f"{uri} cannot be read: write a URI that begins with s3://, gs://, az://, hf://, http:// "
        "or https://."
    )


def s3_options(opened: Mapping[str, str]) -> dict[str, Any]:
    """Return s3fs' options for some credentials; without a key, boto looks for the pod's identity.

    ``endpoint_url`` and ``verify`` are absent where AWS' own servers and authorities are meant.
    """
    config: dict[str, Any] = {
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"mode": "standard", "max_attempts": 2},
    }
    endpoint = opened.get("AWS_ENDPOINT_URL_S3") or opened.get("AWS_ENDPOINT_URL")
    if endpoint:
        # A bucket's own host name, and checksums by default, are AWS' and not every server's.
        config["s3"] = {"addressing_style": "path"}
        config["request_checksum_calculation"] = "when_required"
        config["response_checksum_validation"] = "when_required"
    return {
        **_told(
            key=opened.get("AWS_ACCESS_KEY_ID"),
            secret=opened.get("AWS_SECRET_ACCESS_KEY"),
            token=opened.get("AWS_SESSION_TOKEN"),
            endpoint_url=endpoint,
        ),
        "config_kwargs": config,
        "client_kwargs": _told(
            region_name=opened.get("AWS_REGION") or opened.get("AWS_DEFAULT_REGION"),
            verify=opened.get("AWS_CA_BUNDLE"),
        ),
    }


def _told(**options: str | None) -> dict[str, Any]:
    """Return the options that have a value."""
    return {name: value for name, value in options.items() if value}


@contextlib.contextmanager
def _translated(uri: str) -> Iterator[None]:
    try:
        yield
    except (StoreError, multipart.UntoldError):
        raise
    except Exception as error:
        if is_local(error):
            raise
        raise _translate(uri, error) from error


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that this machine's disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_local(error: BaseException) -> bool:
    """Tell whether an error is this machine's disk's, which is no matter of the store."""
    local = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EISDIR, errno.ENOTDIR}
    return isinstance(error, OSError) and error.__cause__ is None and error.errno in local


def _translate(uri: str, error: Exception) -> StoreError:
    code, status = clouds.answer(error)
    uri = shown(uri)
    if code == "NoSuchBucket":
        return BucketNotFoundError(f"The bucket of {uri} does not exist: make it, or name another.")
    if code == "NoSuchUpload":
        return StoreUnavailableError(f"The parts of {uri} that were stored are gone.")
    if isinstance(error, FileNotFoundError) or (status == 404 and code in ("", "404")):
        return ObjectNotFoundError(f"There is nothing at {uri}.")
    if isinstance(error, botocore.exceptions.NoCredentialsError):
        return AccessDeniedError(f"There are no credentials for {uri}: set the AWS_ variables.")
    if code in _FULL or status == 507 or is_full(error):
        return StoreFullError(f"The store of {uri} is full: make room in it, or keep fewer things.")
    if uri.startswith("pvc:") and getattr(error, "errno", None) in _DISK_AWAY:
        return StoreUnavailableError(f"The volume of {uri} does not answer: {brief(error)}")
    if isinstance(error, _UNAVAILABLE) or clouds.is_unreachable(error) or _asks_for_time(status):
        return StoreUnavailableError(f"The store of {uri} cannot be reached: {brief(error)}")
    if isinstance(error, PermissionError) or status in (401, 403) or code in _DENIED:
        return AccessDeniedError(f"The store denies access to {uri}: {brief(error)}")
    return StoreError(f"{uri} cannot be used: {brief(error)}")


def _asks_for_time(status: int) -> bool:
    return status == 429 or status >= 500


def brief(error: BaseException) -> str:
    """Return what an error says, in one line, its URIs without what opens them."""
    text = " ".join(scrubbed(str(error)).split()) or type(error).__name__
    return text[:300].rstrip(".") + "."
