"""A hundred changes of a signed and encrypted archive: none reaches a server."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from slipway_pods.serve import fetch
from slipway_pods.store import store
from slipway_pods.trust import packaged, sealing, signing
from slipway_pods.trust.believed import Believed
from tests.harness.s3 import S3Server
from tests.unit.runtime.trust import keysets, signers

URI = "s3://slipway/models/ns/net/uid/net-1.0.mar"
CONTENT = random.Random(1).randbytes(2_500_000)  # noqa: S311 - to be the same each time
SIGNER, STRANGER = signers.private(1), signers.private(2)
SEGMENT = sealing.SEGMENT


@dataclass(frozen=True)
class Stored:
    """What lies in the store."""

    archive: bytes
    signature: bytes | None


def sealed(content: bytes, key: bytes, place: str, folder: Path) -> bytes:
    path = folder / "net.mar"
    path.write_bytes(content)
    packaged.KEYSET.write_text(keysets.keyset(keysets.key(key, 7)))
    return packaged.sealed({"encrypt": {"keySecretRef": {}}}, path, place).read_bytes()


def signature(content: bytes, folder: Path, key: ec.EllipticCurvePrivateKey = SIGNER) -> bytes:
    path = folder / "signed.mar"
    path.write_bytes(content)
    return signing.sign(path, key)


Mutation = Callable[[Stored, random.Random, Path], Stored]


def flip(data: bytes, seeded: random.Random) -> bytes:
    at = seeded.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << seeded.randrange(8))]) + data[at + 1 :]


def swap(data: bytes, seeded: random.Random) -> bytes:
    parts = [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]
    one, other = seeded.sample(range(len(parts)), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def resigned(was: Stored, seeded: random.Random, folder: Path) -> Stored:
    """Another model, encrypted by the right key, with the signature of the first one."""
    other = sealed(flip(CONTENT, seeded), keysets.KEY, "place", folder)
    return replace(was, archive=other)


MUTATIONS: list[Mutation] = [
    lambda was, seeded, _: replace(was, archive=flip(was.archive, seeded)),
    lambda was, seeded, _: replace(was, archive=was.archive[: seeded.randrange(len(was.archive))]),
    lambda was, seeded, _: replace(was, archive=swap(was.archive, seeded)),
    lambda was, seeded, _: replace(was, archive=was.archive[: seeded.choice((1, 2)) * SEGMENT]),
    lambda was, seeded, _: replace(was, archive=was.archive + seeded.randbytes(9)),
    lambda was, _, folder: replace(was, archive=sealed(CONTENT, bytes(32), "place", folder)),
    lambda was, _, folder: replace(was, archive=sealed(CONTENT, keysets.KEY, "other", folder)),
    lambda was, *_: replace(was, archive=CONTENT),
    resigned,
    lambda was, *_: replace(was, signature=None),
    lambda was, _, folder: replace(was, signature=signature(CONTENT, folder, STRANGER)),
    lambda was, seeded, folder: replace(was, signature=signature(flip(CONTENT, seeded), folder)),
    lambda was, seeded, _: replace(was, signature=seeded.randbytes(700)),
]


@pytest.fixture
def stored(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    monkeypatch.setattr(packaged, "KEYSET", tmp_path / "made.json")
    archive = sealed(CONTENT, keysets.KEY, "place", tmp_path)
    return Stored(archive, signature(CONTENT, tmp_path))


def fetched(stored: Stored, folder: Path) -> int:
    """Fetch what is stored, its digest being right; a server starts where that is 0."""
    store.put_bytes(stored.archive, URI)
    if stored.signature is None:
        store.delete(f"{URI}.sig")
    else:
        store.put_bytes(stored.signature, f"{URI}.sig")
    (folder / "keyset.json").write_text(keysets.KEYSET)
    believed = Believed(folder / "keyset.json", "place", signers.public_file(folder, SIGNER))
    sha256, dest = hashlib.sha256(stored.archive).hexdigest(), folder / "models" / "net.mar"
    dest.unlink(missing_ok=True)
    return fetch.run(URI, sha256, dest, believed=believed)


def test_each_of_a_hundred_changes_is_refused_and_what_was_not_changed_is_served(
    stored: Stored, tmp_path: Path, termination_log: Path
) -> None:
    seeded, reasons = random.Random(17), set[str]()  # noqa: S311
    assert fetched(stored, tmp_path) == 0
    for number in range(100):
        changed = MUTATIONS[number % len(MUTATIONS)](stored, seeded, tmp_path)
        assert fetched(changed, tmp_path) == 1, number
        assert list((tmp_path / "models").iterdir()) == []
        reasons.add(json.loads(termination_log.read_text())["reason"])
    assert fetched(stored, tmp_path) == 0
    assert reasons == {
        "ArchiveChanged",
        "ArchiveCut",
        "WrongKey",
        "SignatureMissing",
        "UnknownSigner",
        "SignatureInvalid",
    }
