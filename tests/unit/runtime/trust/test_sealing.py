import hashlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_pods.trust import sealing
from slipway_pods.trust.errors import TrustError
from tests.unit.runtime.trust.keysets import KEY

ABOUT = b"team-a/digits/uid/m-1.0.mar"
THREE = 2_200_000
"""Bytes that make three segments."""

WRITTEN_BY_TINK = {
    0: (
        "287c0b421c30881b5aa3ef7ecfa40696b51fc2a504c140f99c0282dfb0c860c4af78fd3dd017fc66",
        "4b1ced9bfdbb01b813c2c89f7ec4b4997742340883da592f82ff40c7ce919a9a",
    ),
    5: (
        "285ccf031dff543cc02c4768d25fb7851e9648c9129f399d61d5cd1f28a390f3e94533fd7ace1c41",
        "1b2891758ea6d65a212455309d9a9982b23ec55342b07ecf64e65ddacab5cfa0",
    ),
    1_048_520: (
        "284ad8bcc412ec52139a153460aeaca3b9ad15c157fc6819576cea5d909948d43957e478cc9e2d85",
        "29de08a2d088a568bd1766e11dbdd80418ec1a9c4f79f7dfea54e41dbb81322c",
    ),
    1_048_521: (
        "286402beed09342145c2332a8ba5812f3f4de97515ba5ac542b9ced489f3c903db1b01476fb6b7c1",
        "02e93197378618c15b035fbebe5caad716e1658cd2ba54065a061047bd2d3d0e",
    ),
    2_097_080: (
        "28687b8f89bf2ae4a983282a2194e8ff94f57a02b4f652cbb169830575a97ac0ea40c65f203c4b82",
        "0bf7b08b451fd14a0c9c205b9b24b7ea6f2e2ebcaf44df8f1db5aa67f7828711",
    ),
    2_200_000: (
        "284c99fb8c76cef3fe2616b345677000c762e682ca66ba290c65e46dc6f46eb01834e5e1b4df104f",
        "c545f9736dc111901a087874eb496b91b5cd67f6f9afdd654951184b0b4a4f1a",
    ),
}
"""By a content's size: the header that Tink 1.16.1 chose, and the SHA-256 of all that it wrote for
`content`, `KEY` and `ABOUT`."""


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealed(data: bytes, key: bytes = KEY, about: bytes = ABOUT) -> bytes:
    target = io.BytesIO()
    sealing.seal(io.BytesIO(data), target, key, about)
    return target.getvalue()


@pytest.fixture
def unsealed(tmp_path: Path) -> Callable[..., bytes]:
    def unseal(data: bytes, *keys: bytes, about: bytes = ABOUT) -> bytes:
        path = tmp_path / "part"
        path.write_bytes(data)
        with path.open("r+b") as file:
            sealing.unseal(file, keys or (KEY,), about)
        return path.read_bytes()

    return unseal


@pytest.mark.parametrize("size", WRITTEN_BY_TINK)
def test_what_is_written_is_what_tink_writes(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    header, digest = WRITTEN_BY_TINK[size]
    monkeypatch.setattr(sealing, "header", lambda *_: bytes.fromhex(header))
    assert hashlib.sha256(sealed(content(size))).hexdigest() == digest


@pytest.mark.parametrize("size", WRITTEN_BY_TINK)
def test_what_is_opened_is_what_was_sealed(size: int, unsealed: Callable[..., bytes]) -> None:
    assert unsealed(sealed(content(size))) == content(size)


def test_the_same_archive_is_the_same_bytes_and_no_two_others_share_a_key() -> None:
    whole = sealed(b"weights")
    others = (sealed(b"Weights"), sealed(b"weights", bytes(32)), sealed(b"weights", about=b"other"))
    headers = {data[: sealing.HEADER] for data in (whole, *others)}
    assert (sealed(b"weights"), len(headers)) == (whole, 4)


def test_an_earlier_key_of_the_keyset_opens_what_it_sealed(
    unsealed: Callable[..., bytes],
) -> None:
    data = content(THREE)
    assert unsealed(sealed(data), bytes(32), KEY, b"k" * 32) == data


def refused(unsealed: Callable[..., bytes], data: bytes, *keys: bytes, about: bytes = ABOUT) -> str:
    with pytest.raises(TrustError) as caught:
        unsealed(data, *keys, about=about)
    return caught.value.reason


def test_another_key_and_another_archives_associated_data_open_nothing(
    unsealed: Callable[..., bytes],
) -> None:
    data = sealed(content(THREE))
    assert refused(unsealed, data, bytes(32)) == "WrongKey"
    assert refused(unsealed, data, about=b"team-b/digits/uid/m-1.0.mar") == "WrongKey"


@pytest.mark.parametrize("end", [1, 2])
def test_an_archive_that_ends_with_a_whole_segment_too_early_is_cut(
    unsealed: Callable[..., bytes], end: int
) -> None:
    data = sealed(content(THREE))
    assert refused(unsealed, data[: end * sealing.SEGMENT]) == "ArchiveCut"


@pytest.mark.parametrize("end", [0, 1, 39, 40, 55])
def test_an_archive_without_a_whole_segment_is_refused(
    unsealed: Callable[..., bytes], end: int
) -> None:
    assert refused(unsealed, sealed(b"weights")[:end]) in (
        "ArchiveCut",
        "ArchiveChanged",
        "WrongKey",
    )


def test_a_plain_archive_is_told_from_an_encrypted_one(unsealed: Callable[..., bytes]) -> None:
    assert refused(unsealed, b"PK\x03\x04") == "ArchiveChanged"


def swapped(data: bytes, one: int, other: int) -> bytes:
    size = sealing.SEGMENT
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def test_segments_in_another_order_are_refused(unsealed: Callable[..., bytes]) -> None:
    data = sealed(content(4 * sealing.SEGMENT))
    assert refused(unsealed, swapped(data, 1, 2)) == "ArchiveChanged"


def test_a_segment_of_another_archive_under_the_same_key_is_refused(
    unsealed: Callable[..., bytes],
) -> None:
    one, other = sealed(content(THREE)), sealed(content(THREE)[::-1])
    size = sealing.SEGMENT
    mixed = one[:size] + other[size : 2 * size] + one[2 * size :]
    assert refused(unsealed, mixed) == "ArchiveChanged"


def test_what_was_put_behind_an_archive_is_refused(unsealed: Callable[..., bytes]) -> None:
    data = sealed(content(sealing.SEGMENT - sealing.HEADER - sealing.TAG))
    assert refused(unsealed, data + data) == "ArchiveChanged"


def test_no_flipped_bit_and_no_cut_is_overlooked(unsealed: Callable[..., bytes]) -> None:
    whole, seeded = sealed(content(THREE)), random.Random(17)  # noqa: S311
    for _ in range(40):
        changed = bytearray(whole)
        changed[seeded.randrange(len(whole))] ^= 1 << seeded.randrange(8)
        assert refused(unsealed, bytes(changed)) in ("WrongKey", "ArchiveChanged")
        cut = whole[: seeded.randrange(len(whole))]
        assert refused(unsealed, cut)
