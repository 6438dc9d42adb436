"""Put a model into the folder where a server of the user's own finds it.

An archive is unpacked, any other file has its own name there, and a folder of the store is as it
is. What has another digest than the one that was asked for leaves nothing there.
"""

import shutil
import tempfile
from pathlib import Path

from slipway_pods.bring import archive, download, signature
from slipway_pods.serve import rejection
from slipway_pods.trust.believed import UNSEALED, Believed

ARCHIVES = (".mar", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Ends of the names of files that are unpacked."""


def place(uri: str, sha256: str, folder: Path, believed: Believed = UNSEALED) -> None:
    """Fill the folder, unless an earlier start has done so with what has the same digest.

    What is encrypted or has to be signed is brought again: there is more to it than its digest.

    Raises a StoreError, DigestError, TrustError, RejectedError, ArchiveError, or OSError of the
    pod's own disk.
    """
    done = folder.with_name(f".{folder.name}.sha256")
    if believed == UNSEALED and done.is_file() and done.read_text("ascii") == sha256:
        return
    _clear(folder)
    try:
        if _is_archive(uri):
            _unpack(uri, sha256, folder, believed)
        else:
            listing = download.bring(uri, folder, "model")
            download.check(folder, listing, sha256, uri)
            _take(folder, listing, uri, believed)
            rejection.refuse(uri, [folder / name for name in listing.files])
    except BaseException:
        _clear(folder)
        raise
    done.write_text(sha256, "ascii")


def _is_archive(uri: str) -> bool:
    return not uri.endswith("/") and download.file_name(uri).lower().endswith(ARCHIVES)


def _take(folder: Path, listing: download.Listing, uri: str, believed: Believed) -> None:
    """Let a model pass what it has to; raises TrustError."""
    if listing.is_folder:
        signature.take_folder(folder, uri, believed)
    else:
        (name,) = listing.files
        signature.take(folder / name, uri, believed)


def _unpack(uri: str, sha256: str, folder: Path, believed: Believed) -> None:
    """Bring an archive beside the folder, and unpack it once its digest is known."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        beside = Path(scratch)
        listing = download.bring(uri, beside, "model")
        if listing.is_folder:
            raise archive.ArchiveError(
                f"{uri} is a folder with the name of an archive: write a / at the end of its URI."
            )
        download.check(beside, listing, sha256, uri)
        _take(beside, listing, uri, believed)
        (name,) = listing.files
        rejection.refuse(uri, [beside / name])
        archive.unpack(beside / name, folder)


def _clear(folder: Path) -> None:
    folder.with_name(f".{folder.name}.sha256").unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
