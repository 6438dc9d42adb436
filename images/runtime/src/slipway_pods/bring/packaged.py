"""Bringing the archive that another TrainingJob made: its files, once its digest is known."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from slipway_pods.bring import archive, download
from slipway_pods.store import store
from slipway_pods.trust import keyset
from slipway_pods.trust.errors import TrustError
from slipway_runtime.shown import shown


def bring(uri: str, sha256: str, folder: Path, what: str, sealed: Mapping[str, str]) -> None:
    """Unpack the archive at a URI into a folder; ``what`` is how the log calls it.

    ``sealed`` has the path of the ``keyset`` that decrypts it, and the ``associatedData`` that it
    is bound to; nothing of a plain one. Raises what `download.bring` does; DigestError, TrustError
    and ArchiveError where the archive is another one, cannot be decrypted, or is none: then nothing
    is unpacked.
    """
    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary)
        listing = download.bring(uri, where, what)
        if listing.is_folder:
            raise store.ObjectNotFoundError(f"{shown(uri)} is a folder, not an archive.")
        download.check(where, listing, sha256, uri)
        (name,) = listing.files
        if "keyset" in sealed:
            _decrypt(where / name, uri, Path(sealed["keyset"]), sealed.get("associatedData", ""))
        archive.unpack(where / name, folder)


def _decrypt(part: Path, uri: str, keys: Path, associated_data: str) -> None:
    """Put what a file holds in its place; OpenSSL takes 30 ms to import, for those who need it."""
    from slipway_pods.trust import sealing

    try:
        known = keyset.read(keys, "the other TrainingJob's package.encrypt.keySecretRef")
        with part.open("r+b") as file:
            sealing.unseal(file, known, associated_data.encode())
    except TrustError as error:
        why = str(error).rstrip(".")
        raise TrustError(error.reason, f"{shown(uri)} is not decrypted: {why}.") from error
