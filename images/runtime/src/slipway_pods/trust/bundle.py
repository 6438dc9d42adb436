"""Signed statements: an in-toto statement in a DSSE envelope in a Sigstore bundle, by an EC key.

A bundle here is what the library ``model-signing`` writes and reads for keys of the curves P-256,
P-384 and P-521. Signatures are deterministic (RFC 6979), so that a statement has one bundle.

Source: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md,
https://docs.sigstore.dev/about/bundle/ (v0.3) and model_signing/_signing/sign_ec_key.py of 1.1.1
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from slipway_pods.trust.errors import TrustError

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_BYTES = 1024 * 1024
"""Longest bundle that is read."""
_HASHES: dict[str, type[HashAlgorithm]] = {
    "secp256r1": SHA256,
    "secp384r1": SHA384,
    "secp521r1": SHA512,
}


def sign(statement: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the bundle of a statement."""
    payload = json.dumps(statement, sort_keys=True).encode()
    algorithm = ec.ECDSA(_HASHES[key.curve.name](), deterministic_signing=True)
    signature = key.sign(_encoded(payload), algorithm)
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, indent=2).encode() + b"\n"


def verified(data: bytes, keys: Sequence[ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    """Return the statement of a bundle that one of the keys has signed.

    Raises TrustError: UnknownSigner for another key, SignatureInvalid for what is no such bundle or
    was changed.
    """
    try:
        return _verified(data, keys)
    except InvalidSignature as error:
        raise TrustError("SignatureInvalid", "the signature is not the key's") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise TrustError("SignatureInvalid", "it is no signature by a key") from error


def _verified(data: bytes, keys: Sequence[ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ValueError("length")
    bundle = json.loads(data)
    material, envelope = bundle["verificationMaterial"], bundle["dsseEnvelope"]
    types = (bundle["mediaType"], envelope["payloadType"])
    if types != (MEDIA_TYPE, PAYLOAD_TYPE):
        raise ValueError("types")
    signer = material["publicKey"]["hint"]
    key = next((key for key in keys if hint(key) == signer), None)
    if key is None:
        raise TrustError("UnknownSigner", "its key is none of the public keys")
    (entry,) = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    signature = base64.b64decode(entry["sig"], validate=True)
    key.verify(signature, _encoded(payload), ec.ECDSA(_HASHES[key.curve.name]()))
    statement: dict[str, Any] = json.loads(payload)
    if statement["_type"] != STATEMENT_TYPE:
        raise ValueError("type of statement")
    return statement


def hint(key: ec.EllipticCurvePublicKey) -> str:
    """Return by what a bundle names its key: the SHA-256 of its PEM, in hexadecimal."""
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(pem).hexdigest()


def is_usable(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> bool:
    """Tell whether a key is of one of the curves."""
    return key.curve.name in _HASHES


def _encoded(payload: bytes) -> bytes:
    """Return what is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
