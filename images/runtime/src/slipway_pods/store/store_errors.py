"""What can go wrong with a store: a small tree of exceptions, and what the libraries' own become.

Each has a ``reason``, a constant for conditions, and a text of one sentence that says what to do.
"""

import contextlib
import errno
from collections.abc import Iterator

import aiohttp
import botocore.exceptions
from fsspec.exceptions import FSTimeoutError

from slipway_pods.store import clouds
from slipway_runtime.shown import scrubbed, shown

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


_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says where it, or the share of it that is allowed, is full."""
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


class ForbiddenUriError(StoreError):
    """A URI names no place that is beneath another one."""

    reason = "ForbiddenUri"


class TooLargeError(StoreError):
    """What lies at a URI is larger than there is room for, or than was said."""

    reason = "TooLarge"


class ChangedError(Exception):
    """A file changed while it was stored."""


class UntoldError(Exception):
    """The server does not tell which uploads are unfinished."""


@contextlib.contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turn what the libraries raise about a URI into the errors above; a disk's own stay."""
    try:
        yield
    except (StoreError, ChangedError, UntoldError):
        raise
    except Exception as error:
        if is_local(error):
            raise
        raise translate(uri, error) from error


def no_space() -> OSError:
    """Return what a full disk raises, for one that would be full."""
    return OSError(errno.ENOSPC, "there is no space for it")


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that this machine's disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def is_local(error: BaseException) -> bool:
    """Tell whether an error is this machine's disk's, which is no matter of the store."""
    local = {*_DISK_FULL, errno.EROFS, errno.EISDIR, errno.ENOTDIR}
    return isinstance(error, OSError) and error.__cause__ is None and error.errno in local


def translate(uri: str, error: Exception) -> StoreError:
    """Return what an error of a library about a URI is in the tree above."""
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
