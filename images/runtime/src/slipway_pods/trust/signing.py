"""Signatures of archives in OpenSSF's model signing format, by a key.

``model_signing verify key ARCHIVE --signature ARCHIVE.sig --public_key KEY`` verifies what is made
here, and what ``model_signing sign key`` makes of a file or a folder is verified here. The library
itself is not used: it brings 35 packages, an OIDC client and an HTTP client among them, into the
containers that hold the keys; what is left of it for keys is `slipway_pods.trust.bundle`.

Source: model_signing/_signing/signing.py of model-signing 1.1.1, predicate
https://model_signing/signature/v1.0
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slipway_pods.trust import bundle
from slipway_pods.trust.errors import TrustError

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_PEM = 64 * 1024
FILE = "."
"""What the one file of a signature is called; the files of a folder have their paths in it."""
MAX_SHOWN = 200
"""Longest part of a file's name that is told, in characters."""
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
WRITE_PRIVATE = (
    "write a private key in PEM without a password, of the curve P-256, P-384 or P-521, as "
    "`openssl ecparam -genkey -name prime256v1` makes one"
)
WRITE_PUBLIC = "write public keys in PEM of the curves P-256, P-384 or P-521"


def private_key(path: Path, field: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of a file; ``field`` is how messages call what names it.

    Raises TrustError (KeyNotFound, InvalidKey).
    """
    data = _read(path, field, WRITE_PRIVATE)
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _invalid(field, WRITE_PRIVATE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not bundle.is_usable(key):
        raise _invalid(field, WRITE_PRIVATE)
    return key


def public_keys(source: Path | str, field: str) -> tuple[ec.EllipticCurvePublicKey, ...]:
    """Return the keys of a file with one or more, or of its text.

    Raises TrustError (KeyNotFound, InvalidKey).
    """
    data = source.encode() if isinstance(source, str) else _read(source, field, WRITE_PUBLIC)
    found = []
    for pem in _PUBLIC.findall(data):
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _invalid(field, WRITE_PUBLIC) from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not bundle.is_usable(key):
            raise _invalid(field, WRITE_PUBLIC)
        found.append(key)
    if not found:
        raise _invalid(field, WRITE_PUBLIC)
    return tuple(found)


def _read(path: Path, field: str, write: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM)
    except OSError as error:
        text = f"What {field} names is not there, or has no such key: {write}."
        raise TrustError("KeyNotFound", text) from error


def _invalid(field: str, write: str) -> TrustError:
    return TrustError("InvalidKey", f"What {field} names cannot be used: {write}.")


def sign(archive: Path, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return an archive's signature; memory does not grow with the archive."""
    digest = _digest(archive)
    statement = {
        "_type": bundle.STATEMENT_TYPE,
        "subject": [{"name": archive.name, "digest": {"sha256": _root(digest)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [{"name": FILE, "algorithm": "sha256", "digest": digest}],
        },
    }
    return bundle.sign(statement, key)


def verify(archive: Path, signature: bytes, keys: tuple[ec.EllipticCurvePublicKey, ...]) -> None:
    """Raise TrustError where one of the keys has not signed an archive as it is.

    The reasons are UnknownSigner and SignatureInvalid.
    """
    signed = _signed(signature, keys)
    if signed.keys() != {FILE}:
        raise _invalid_signature("it is a signature of something else than one file")
    if signed[FILE] != _digest(archive):
        raise _invalid_signature("it is the signature of another archive")


def verify_folder(
    folder: Path, signature: bytes, keys: tuple[ec.EllipticCurvePublicKey, ...]
) -> None:
    """Raise TrustError where one of the keys has not signed a folder's files, and no others.

    The reasons are those of `verify`, and the text names the first file that is not as it was.
    """
    signed = _signed(signature, keys)
    if FILE in signed:
        raise _invalid_signature("it is the signature of one file, and this is a folder")
    found = {
        Path(root, name).relative_to(folder).as_posix(): Path(root, name)
        for root, _, names in os.walk(folder)
        for name in names
    }
    for name in sorted(found.keys() | signed.keys()):
        shown = ascii(name)[:MAX_SHOWN]
        if name not in signed:
            raise _invalid_signature(f"the file {shown} is not signed: sign it, or take it away")
        if name not in found:
            raise _invalid_signature(f"the file {shown} is signed and not there")
        if signed[name] != _digest(found[name]):
            raise _invalid_signature(f"the file {shown} is another one than was signed")


def _invalid_signature(why: str) -> TrustError:
    return TrustError("SignatureInvalid", why)


def _signed(signature: bytes, keys: tuple[ec.EllipticCurvePublicKey, ...]) -> dict[str, str]:
    """Return the digests of what a signature is about, by the names of files; raises TrustError."""
    statement = bundle.verified(signature, keys)
    try:
        return _files(statement)
    except (ValueError, TypeError, KeyError) as error:
        raise _invalid_signature("it is a signature of something else than files") from error


def _files(statement: dict[str, Any]) -> dict[str, str]:
    """Return the digests of the files that a statement is about, each of which it names once."""
    predicate, (subject,) = statement["predicate"], statement["subject"]
    if (statement["predicateType"], predicate["serialization"]["method"]) != (
        PREDICATE_TYPE,
        "files",
    ):
        raise ValueError("not files")
    resources = predicate["resources"]
    digests = {str(each["name"]): str(each["digest"]) for each in resources}
    plain = [
        {"name": name, "algorithm": "sha256", "digest": digest} for name, digest in digests.items()
    ]
    if plain != resources or subject["digest"]["sha256"] != _root(*digests.values()):
        raise ValueError("not each file once by its SHA-256")
    return digests


def _root(*digests: str) -> str:
    """Return the digest of all files' digests, in their order."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
