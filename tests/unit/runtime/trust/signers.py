"""Keys that sign archives, made for the tests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from slipway_pods.trust import bundle, signing


def private(number: int = 1, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the same key for the same number."""
    return ec.derive_private_key(number + 1_000_000, curve or ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_file(folder: Path, *keys: ec.EllipticCurvePrivateKey) -> Path:
    path = folder / "public.pem"
    path.write_bytes(b"".join(map(public_pem, keys)))
    return path


def folder_signature(files: Mapping[str, bytes], key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return what ``model_signing sign key`` writes for a folder with these files."""
    digests = {name: hashlib.sha256(files[name]) for name in sorted(files)}
    root = hashlib.sha256(b"".join(each.digest() for each in digests.values())).hexdigest()
    resources = [
        {"name": name, "algorithm": "sha256", "digest": each.hexdigest()}
        for name, each in digests.items()
    ]
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    statement = {
        "_type": bundle.STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": signing.PREDICATE_TYPE,
        "predicate": {"serialization": serialization, "resources": resources},
    }
    return bundle.sign(statement, key)
