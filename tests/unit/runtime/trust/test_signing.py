import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from slipway_pods.trust import bundle, signing
from slipway_pods.trust.errors import TrustError
from tests.unit.runtime.trust import signers

KEY, OTHER = signers.private(1), signers.private(2)
CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "net-1.0.mar"
    path.write_bytes(b"an archive" * 1000)
    return path


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_what_a_key_signed_is_verified_by_its_public_half_among_others(
    archive: Path, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    key = signers.private(7, curve)
    path = tmp_path / "private.pem"
    path.write_bytes(signers.private_pem(key))
    made = signing.sign(archive, signing.private_key(path, "sign"))
    keys = signing.public_keys(signers.public_file(tmp_path, OTHER, key), "verification")
    signing.verify(archive, made, keys)
    assert signing.sign(archive, key) == made


def refusal(archive: Path, made: bytes, *keys: ec.EllipticCurvePrivateKey) -> str:
    public = tuple(key.public_key() for key in keys or (KEY,))
    with pytest.raises(TrustError) as caught:
        signing.verify(archive, made, public)
    return caught.value.reason


def test_another_signer_and_another_archive_are_told_apart(archive: Path) -> None:
    made = signing.sign(archive, KEY)
    assert refusal(archive, made, OTHER) == "UnknownSigner"
    archive.write_bytes(archive.read_bytes() + b"!")
    assert refusal(archive, made) == "SignatureInvalid"


def claimed(made: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a signature that says that it is a key's."""
    found = json.loads(made)
    found["verificationMaterial"]["publicKey"]["hint"] = bundle.hint(key.public_key())
    return json.dumps(found).encode()


def test_a_signature_that_names_the_right_key_and_is_another_ones_is_refused(
    archive: Path,
) -> None:
    made = claimed(signing.sign(archive, OTHER), KEY)
    assert refusal(archive, made) == "SignatureInvalid"


Statement = dict[str, Any]


def changed(statement: Statement, path: str, value: Any) -> Statement:
    found = json.loads(json.dumps(statement))
    *parents, last = path.split(".")
    part: Any = found
    for name in parents:
        part = part[int(name) if name.isdecimal() else name]
    part[last] = value
    return dict(found)


SIGNED_OTHERWISE: list[Callable[[Statement], Statement]] = [
    lambda it: changed(it, "_type", "https://in-toto.io/Statement/v0.1"),
    lambda it: changed(it, "predicateType", "https://slsa.dev/provenance/v1"),
    lambda it: changed(it, "predicate.serialization.method", "shards"),
    lambda it: changed(it, "predicate.resources", []),
    lambda it: changed(it, "predicate.resources", it["predicate"]["resources"] * 2),
    lambda it: changed(it, "predicate.resources.0.name", "net.pt"),
    lambda it: changed(it, "predicate.resources.0.algorithm", "blake2"),
    lambda it: changed(it, "predicate.resources.0.digest", "no digest"),
    lambda it: changed(it, "predicate.resources.0.digest", 7),
    lambda it: changed(it, "subject", []),
    lambda it: changed(it, "subject.0.digest", {"sha256": "ab" * 32}),
    lambda it: {"_type": it["_type"]},
]


@pytest.mark.parametrize("number", range(len(SIGNED_OTHERWISE)))
def test_a_statement_of_something_else_does_not_pass_for_an_archives(
    archive: Path, number: int
) -> None:
    payload = json.loads(signing.sign(archive, KEY))["dsseEnvelope"]["payload"]
    statement = SIGNED_OTHERWISE[number](json.loads(base64.b64decode(payload)))
    assert refusal(archive, bundle.sign(statement, KEY)) == "SignatureInvalid"


NO_BUNDLES = [
    b"",
    b"[]",
    b"[" * 100_000,
    b"\xff",
    b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}',
    b" " * (bundle.MAX_BYTES + 1),
]


@pytest.mark.parametrize("number", range(len(NO_BUNDLES)))
def test_what_is_no_bundle_is_refused(archive: Path, number: int) -> None:
    assert refusal(archive, NO_BUNDLES[number]) == "SignatureInvalid"


def test_no_changed_character_of_a_signature_is_overlooked_where_it_is_of_matter(
    archive: Path,
) -> None:
    made, seeded = signing.sign(archive, KEY), random.Random(17)  # noqa: S311
    envelope = json.loads(made)["dsseEnvelope"]
    for text in (envelope["payload"], envelope["signatures"][0]["sig"]):
        for _ in range(30):
            at = seeded.randrange(len(text) - 4)  # the last ones may have bits that say nothing
            other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
            assert refusal(archive, made.replace(text.encode(), other.encode())) == (
                "SignatureInvalid"
            )


def test_keys_that_are_missing_or_of_another_kind_are_told_without_showing_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(TrustError) as caught:
        signing.private_key(path, "package.sign.keySecretRef")
    assert caught.value.reason == "KeyNotFound"
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    koblitz = signers.private(3, ec.SECP256K1())
    for data in (
        b"secret words",
        other.private_bytes(*formats, serialization.NoEncryption()),
        KEY.private_bytes(*formats, serialization.BestAvailableEncryption(b"password")),
        signers.private_pem(koblitz),
    ):
        path.write_bytes(data)
        with pytest.raises(TrustError, match=r"package[.]sign[.]keySecretRef") as caught:
            signing.private_key(path, "package.sign.keySecretRef")
        assert caught.value.reason == "InvalidKey"
        assert "secret words" not in str(caught.value)
    for data in (b"", signers.private_pem(KEY), signers.public_pem(koblitz)):
        path.write_bytes(data)
        with pytest.raises(TrustError) as caught:
            signing.public_keys(path, "model.verification")
        assert caught.value.reason == "InvalidKey"
