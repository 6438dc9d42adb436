"""What the init containers that bring something have in common: their last word and exit code."""

from collections.abc import Callable
from typing import Any

from slipway_pods import room
from slipway_pods.bring import archive, download
from slipway_pods.store import store
from slipway_pods.trust.errors import TrustError
from slipway_runtime.checks.package_code import PackageError
from slipway_runtime.termination import (
    EX_SIGTERM,
    STOPPED_REASON,
    Stopped,
    say,
    stop_on_signal,
    write_message,
)


def run(work: Callable[[], dict[str, Any]], done: str, not_found: str) -> int:
    """Do the work, write the termination message, and return the exit code.

    The message has the reason Fetched and what the work returns; or ``not_found``,
    ServerUnavailable, AccessDenied, DigestMismatch, InvalidArchive, DiskFull, FetchFailed or one of
    `slipway_pods.trust.errors`.
    """
    stop_on_signal()
    try:
        message = {"reason": "Fetched", "exitCode": 0, "message": f"{done}.", **work()}
    except Stopped:
        message = {
            "reason": STOPPED_REASON,
            "exitCode": EX_SIGTERM,
            "message": "The pod was told to stop.",
        }
    except PackageError as error:
        message = {"reason": error.reason, "exitCode": 1, "message": str(error)}
    except TrustError as error:
        message = {"reason": error.reason, "exitCode": 1, "message": str(error)}
    except (store.StoreError, download.DigestError, archive.ArchiveError, OSError) as error:
        message = {"reason": reason_of(error, not_found), "exitCode": 1, "message": say_why(error)}
    write_message(message)
    say(str(message["message"]))
    return int(message["exitCode"])


def reason_of(error: Exception, not_found: str) -> str:
    """Return the constant for the reason why something was not brought."""
    if isinstance(error, store.ObjectNotFoundError | store.BucketNotFoundError):
        return not_found
    if isinstance(error, store.StoreUnavailableError):
        return "ServerUnavailable"
    if isinstance(error, store.AccessDeniedError):
        return "AccessDenied"
    if isinstance(error, download.DigestError):
        return "DigestMismatch"
    if isinstance(error, archive.ArchiveError):
        return "InvalidArchive"
    full = store.is_full(error) or isinstance(error, store.TooLargeError)
    return "DiskFull" if full else "FetchFailed"


def say_why(error: Exception) -> str:
    """Return the sentence for a failure."""
    if store.is_full(error):
        return f"There is no space for what is to be brought: {room.FULL}."
    return str(error)
