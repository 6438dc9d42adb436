"""The signature beside a model, and with it all that the model has to pass."""

from pathlib import Path

from slipway_pods.store import store
from slipway_pods.trust.believed import SUFFIX, Believed
from slipway_pods.trust.errors import TrustError

PATIENCE = 60.0
"""How long an unavailable store is asked again, in seconds."""
MAX_BYTES = 1024 * 1024
"""Longest signature that is read."""


def take(part: Path, uri: str, believed: Believed) -> None:
    """Make a file that was brought from a URI what the server gets.

    Raises TrustError where it is not believed, and a StoreError where its signature, which lies
    beside it, can be there and cannot be read.
    """
    believed.take(part, uri, _signature(uri) if believed.public_keys else None)


def take_folder(folder: Path, uri: str, believed: Believed) -> None:
    """Check a folder that was brought from a URI; raises as `take` does."""
    signed = _signature(uri.rstrip("/")) if believed.public_keys else None
    believed.take_folder(folder, uri, signed)


def _signature(uri: str) -> bytes | None:
    """Return what lies beside a model as its signature; None where nothing does."""
    try:
        return store.retry(
            lambda: store.get_bytes(uri + SUFFIX, MAX_BYTES),
            give_up=store.unavailable_for(PATIENCE),
        )
    except (store.ObjectNotFoundError, store.BucketNotFoundError):
        return None
    except store.TooLargeError as error:
        raise TrustError("SignatureInvalid", f"{error} It is no signature.") from error
