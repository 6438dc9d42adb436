"""From the packaging pod to a server's folder: an encrypted archive, and who may open it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_pods.serve import fetch
from slipway_pods.store import store
from slipway_pods.trust import packaged, sealing
from slipway_pods.trust.believed import Believed
from tests.harness.s3 import S3Server
from tests.unit.runtime.trust import keysets

URI = "s3://slipway/models/ns/net/uid/net-1.0.mar"
PLACE = "ns/net/uid/1/net-1.0.mar"
CONTENT = b"an archive" * 300_000


@pytest.fixture
def keyset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keyset.json"
    path.write_text(keysets.KEYSET)
    monkeypatch.setattr(packaged, "KEYSET", path)
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    return path


@pytest.fixture
def stored(s3: S3Server, keyset: Path, tmp_path: Path) -> str:
    """Store an encrypted archive; returns the digest of what is stored."""
    archive = tmp_path / "net.mar"
    archive.write_bytes(CONTENT)
    made = packaged.sealed({"encrypt": {"keySecretRef": {}}}, archive, PLACE)
    assert not archive.exists()
    return put(made.read_bytes())


def put(data: bytes) -> str:
    store.put_bytes(data, URI)
    return hashlib.sha256(data).hexdigest()


def fetched(
    sha256: str, folder: Path, believed: Believed, word: Path
) -> tuple[int, str, list[Path]]:
    """Fetch an archive; returns the exit code, the reason and what is in the folder then."""
    code = fetch.run(URI, sha256, folder / "net.mar", believed=believed)
    return code, json.loads(word.read_text())["reason"], sorted(folder.iterdir())


def test_what_was_encrypted_is_served_as_it_was_packaged(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    folder, believed = tmp_path / "models", Believed(keyset, PLACE)
    for _ in range(2):  # as when the container is started again
        found = fetched(stored, folder, believed, termination_log)
        assert found == (0, "Fetched", [folder / "net.mar"])
        assert (folder / "net.mar").read_bytes() == CONTENT


def test_the_program_takes_the_key_and_the_place_as_arguments(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    dest = tmp_path / "net.mar"
    opened = ["--keyset", str(keyset), f"--associated-data={PLACE}"]
    assert fetch.main(["--uri", URI, "--sha256", stored, "--dest", str(dest), *opened]) == 0
    assert dest.read_bytes() == CONTENT


def flipped(data: bytes) -> bytes:
    return data[:2_000_000] + bytes([data[2_000_000] ^ 1]) + data[2_000_001:]


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "flipped": (flipped, "ArchiveChanged"),
    "cut": (lambda data: data[: 2 * sealing.SEGMENT], "ArchiveCut"),
    "extended": (lambda data: data + b"more", "ArchiveChanged"),
    "plain": (lambda _: CONTENT, "ArchiveChanged"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_archive_is_refused_by_name_though_its_digest_is_right_and_leaves_nothing(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path, change: str
) -> None:
    make, reason = CHANGES[change]
    sha256, folder = put(make(store.get_bytes(URI, 10_000_000))), tmp_path / "models"
    found = fetched(sha256, folder, Believed(keyset, PLACE), termination_log)
    assert found == (1, reason, [])


def test_another_key_and_another_place_open_nothing(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    folder = tmp_path / "models"
    other = Believed(keyset, "other/net/uid/1/net-1.0.mar")
    assert fetched(stored, folder, other, termination_log) == (1, "WrongKey", [])
    keyset.write_text(keysets.keyset(keysets.key(bytes(32), 7)))
    found = fetched(stored, folder, Believed(keyset, PLACE), termination_log)
    assert found == (1, "WrongKey", [])


def test_a_key_that_is_not_there_or_none_is_told_before_anything_is_served(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    folder, believed = tmp_path / "models", Believed(keyset, PLACE)
    keyset.write_text("a key")
    assert fetched(stored, folder, believed, termination_log) == (1, "InvalidKey", [])
    keyset.unlink()
    assert fetched(stored, folder, believed, termination_log) == (1, "KeyNotFound", [])


def test_a_model_of_a_users_own_server_is_decrypted_before_it_is_unpacked(
    stored: str, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    folder, name = tmp_path / "model", "s3://slipway/models/ns/net/uid/weights.bin"
    data = store.get_bytes(URI, 10_000_000)
    store.put_bytes(data, name)
    fetch.fetch_into(name, stored, folder, Believed(keyset, PLACE))
    assert (folder / "weights.bin").read_bytes() == CONTENT
    other = tmp_path / "other"
    with pytest.raises(fetch.FetchError, match="is not decrypted") as caught:
        fetch.fetch_into(name, stored, other, Believed(keyset, "elsewhere"))
    assert (caught.value.reason, list(other.iterdir())) == ("WrongKey", [])


def test_a_folder_that_should_be_encrypted_is_refused(
    s3: S3Server, keyset: Path, tmp_path: Path, termination_log: Path
) -> None:
    store.put_bytes(b"weights", "s3://slipway/shared/model/weights.bin")
    line = f"{hashlib.sha256(b'weights').hexdigest()}  weights.bin\n".encode()
    sha256, folder = hashlib.sha256(line).hexdigest(), tmp_path / "model"
    with pytest.raises(fetch.FetchError, match="is a folder") as caught:
        fetch.fetch_into("s3://slipway/shared/model/", sha256, folder, Believed(keyset, PLACE))
    assert (caught.value.reason, list(folder.iterdir())) == ("ArchiveChanged", [])
