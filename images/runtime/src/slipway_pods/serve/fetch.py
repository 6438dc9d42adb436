"""Bring a model archive from the store to a server pod, and refuse one with another digest.

``python3 -m slipway_pods.serve.fetch --uri URI --sha256 HEX --dest FILE`` downloads beside FILE,
checks the digest, and only then renames: what lies at FILE is always the archive that was asked
for. ``--folder FOLDER`` in place of ``--dest`` puts any model there, for a server of the user's own
(see `slipway_pods.serve.model_folder`). With ``--config-template`` and ``--config`` it also
completes TorchServe's configuration with what the archive says. The termination message has the
reasons Fetched, DigestMismatch, Rejected, InvalidArchive, ModelNotFound, AccessDenied,
StoreUnavailable, DiskFull, DiskError, StoreError and Interrupted, and those of
`slipway_pods.trust.errors` for an archive that is encrypted (``--keyset``) or has to be signed
(``--public-keys``, ``--policy``). Exit codes: 0, 1, and 75 where the store is unavailable or the
program was told to stop.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from slipway_pods import room
from slipway_pods.bring import archive, signature
from slipway_pods.bring import download as bring
from slipway_pods.serve import model_folder, rejection, server_config
from slipway_pods.store import credentials, manifest, store
from slipway_pods.store.whole_file import whole
from slipway_pods.trust.believed import UNSEALED, Believed
from slipway_pods.trust.errors import TrustError
from slipway_runtime.shown import shown
from slipway_runtime.termination import EX_TEMPFAIL, Stopped, say, stop_on_signal, write_message

PATIENCE = 60.0
"""How long an unavailable store is asked again before the kubelet's own back-off takes over."""


class FetchError(Exception):
    """The archive was not fetched; ``reason`` is the constant for the termination message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def fetch(uri: str, sha256: str, dest: Path, believed: Believed = UNSEALED) -> None:
    """Put the archive at ``dest``; raises FetchError, and leaves nothing there, where it cannot.

    One that is there from an earlier start stays, unless there is more to it than its digest.
    """
    if believed == UNSEALED and dest.is_file() and manifest.digest(dest) == sha256:
        return
    dest.unlink(missing_ok=True)
    try:
        with whole(dest) as part:
            download(uri, part)
            check(part, uri, sha256)
            signature.take(part, uri, believed)
            rejection.check_reading(uri, part)
            rejection.refuse(uri, [part])
    except TrustError as error:
        raise FetchError(error.reason, str(error)) from error
    except rejection.RejectedError as error:
        raise FetchError("Rejected", str(error)) from error
    except rejection.DifferingError as error:
        raise FetchError("InvalidArchive", str(error)) from error
    except store.StoreError as error:
        raise FetchError(*store_problem(error)) from error
    except OSError as error:
        raise FetchError(*disk_problem(error, dest)) from error


def fetch_into(uri: str, sha256: str, folder: Path, believed: Believed = UNSEALED) -> None:
    """Put a model into a folder; raises FetchError, and leaves nothing there, where it cannot."""
    try:
        model_folder.place(uri, sha256, folder, believed)
    except TrustError as error:
        raise FetchError(error.reason, str(error)) from error
    except bring.DigestError as error:
        raise FetchError("DigestMismatch", f"{error} It is not served.") from error
    except rejection.RejectedError as error:
        raise FetchError("Rejected", str(error)) from error
    except archive.ArchiveError as error:
        raise FetchError("InvalidArchive", str(error)) from error
    except store.StoreError as error:
        raise FetchError(*store_problem(error)) from error
    except OSError as error:
        raise FetchError(*disk_problem(error, folder)) from error


def download(uri: str, part: Path) -> None:
    """Copy what lies at the URI to a file; raises FetchError with the store's reason."""
    try:
        most = room.free(part.parent)
        store.retry(
            lambda: store.get_file(uri, part, most), give_up=store.unavailable_for(PATIENCE)
        )
    except store.StoreError as error:
        raise FetchError(*store_problem(error)) from error


def store_problem(error: store.StoreError) -> tuple[str, str]:
    """Return the reason and the sentence for what the store says."""
    if isinstance(error, store.ObjectNotFoundError | store.BucketNotFoundError):
        return "ModelNotFound", str(error)
    if isinstance(error, store.TooLargeError):
        return "DiskFull", str(error)
    return error.reason, str(error)


def check(part: Path, uri: str, sha256: str) -> None:
    """Raise FetchError where a file has another digest than the one that was asked for."""
    found = manifest.digest(part)
    if found != sha256:
        raise FetchError(
            "DigestMismatch",
            f"{shown(uri)} has the SHA-256 {found}, not {sha256}: the archive was changed or the "
            "digest is another one's, so it is not served.",
        )


def disk_problem(error: OSError, path: Path) -> tuple[str, str]:
    """Return the reason and the sentence for an error of the pod's own disk."""
    if store.is_full(error):
        return "DiskFull", f"There is no space for {path}: {room.FULL}."
    return "DiskError", f"{path} cannot be written: {error}."


def configure(template: Path | None, config: Path | None, archive: Path) -> None:
    """Write the server's configuration where both paths are given; raises FetchError."""
    if template is None or config is None:
        return
    try:
        config.write_text(server_config.complete(template.read_text("utf-8"), archive), "utf-8")
    except server_config.InvalidArchiveError as error:
        raise FetchError("InvalidArchive", str(error)) from error
    except OSError as error:
        raise FetchError(*disk_problem(error, config)) from error


def run(
    uri: str,
    sha256: str,
    dest: Path,
    template: Path | None = None,
    config: Path | None = None,
    believed: Believed = UNSEALED,
) -> int:
    """Fetch an archive, write the termination message, and return the exit code."""

    def work() -> None:
        fetch(uri, sha256, dest, believed)
        configure(template, config, dest)

    return told(work, f"{shown(uri)} is at {dest}.")


def told(work: Callable[[], None], done: str) -> int:
    """Do the work, write the termination message, and return the exit code."""
    try:
        work()
    except FetchError as error:
        code = EX_TEMPFAIL if error.reason == "StoreUnavailable" else 1
        message = {"reason": error.reason, "message": str(error)}
    except Stopped:
        code = EX_TEMPFAIL
        message = {"reason": "Interrupted", "message": "The pod was told to stop."}
    else:
        code, message = 0, {"reason": "Fetched", "message": done}
    write_message(message)
    say(message["message"])
    return code


def main(argv: Sequence[str]) -> int:
    """Read the arguments and fetch; returns the exit code."""
    parser = argparse.ArgumentParser(prog="slipway_pods.serve.fetch", description=__doc__)
    parser.add_argument("--uri", required=True, help="s3://, http:// or https:// URI of the model")
    parser.add_argument("--sha256", required=True, type=str.lower, help="digest, 64 hex digits")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--dest", type=Path, help="file to write the archive to")
    where.add_argument("--folder", type=Path, help="folder to put the model into")
    parser.add_argument("--config-template", type=Path, help="config.properties to complete")
    parser.add_argument("--config", type=Path, help="file to write it to")
    parser.add_argument("--keyset", type=Path, help="keyset that decrypts the model")
    parser.add_argument("--associated-data", default="", help="what it was encrypted with")
    signers = parser.add_mutually_exclusive_group()
    signers.add_argument("--public-keys", type=Path, help="PEM of those who may sign the model")
    signers.add_argument("--public-keys-pem", help="the same as a text")
    parser.add_argument("--policy", choices=("Required", "IfPresent"), default="Required")
    options = parser.parse_args(argv)
    stop_on_signal()
    uri, sha256, folder = options.uri, options.sha256, options.folder
    keys = (options.public_keys or options.public_keys_pem, options.policy)
    believed = Believed(options.keyset, options.associated_data, *keys)
    if folder is not None:
        done = f"{shown(uri)} is in {folder}."
        return told(lambda: fetch_into(uri, sha256, folder, believed), done)
    return run(uri, sha256, options.dest, options.config_template, options.config, believed)


if __name__ == "__main__":
    credentials.hold()
    sys.exit(main(sys.argv[1:]))
