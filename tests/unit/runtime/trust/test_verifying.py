"""From a signed archive in the store to a server's folder: who is believed."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from slipway_pods.bring import signature
from slipway_pods.serve import fetch
from slipway_pods.store import store
from slipway_pods.trust import packaged, signing
from slipway_pods.trust.believed import Believed
from tests.harness.s3 import S3Server
from tests.unit.runtime.trust import keysets, signers

URI = "s3://slipway/models/ns/net/uid/net-1.0.mar"
CONTENT = b"an archive" * 1000
KEY, OTHER = signers.private(1), signers.private(2)


@pytest.fixture
def stored(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Store a signed archive; returns its digest."""
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    monkeypatch.setattr(signature, "PATIENCE", 0.0)
    store.put_bytes(CONTENT, URI)
    path = tmp_path / "net-1.0.mar"
    path.write_bytes(CONTENT)
    store.put_bytes(signing.sign(path, KEY), f"{URI}.sig")
    return hashlib.sha256(CONTENT).hexdigest()


def fetched(sha256: str, folder: Path, believed: Believed, word: Path) -> tuple[int, str]:
    """Fetch the archive; returns the exit code and the reason."""
    code = fetch.run(URI, sha256, folder / "net.mar", believed=believed)
    assert (folder / "net.mar").exists() == (code == 0)
    return code, json.loads(word.read_text())["reason"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_an_archive_is_served_that_one_of_the_keys_signed(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    keys = signers.public_file(tmp_path, OTHER, KEY)
    found = fetched(stored, folder, Believed(public_keys=keys), termination_log)
    assert found == (0, "Fetched")


def test_an_archive_that_another_key_signed_is_refused(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    keys = signers.public_file(tmp_path, OTHER)
    believed = Believed(public_keys=keys, policy="IfPresent")
    assert fetched(stored, folder, believed, termination_log) == (1, "UnknownSigner")


def test_an_unsigned_archive_is_refused_unless_the_policy_is_if_present(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    store.delete(f"{URI}.sig")
    keys = signers.public_file(tmp_path, KEY)
    required = Believed(public_keys=keys)
    assert fetched(stored, folder, required, termination_log) == (1, "SignatureMissing")
    if_present = Believed(public_keys=keys, policy="IfPresent")
    assert fetched(stored, folder, if_present, termination_log) == (0, "Fetched")


def test_an_archive_that_lies_there_already_is_verified_all_the_same(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    folder.mkdir()
    (folder / "net.mar").write_bytes(CONTENT)
    believed = Believed(public_keys=signers.public_file(tmp_path, OTHER))
    assert fetched(stored, folder, believed, termination_log) == (1, "UnknownSigner")


@pytest.mark.parametrize("data", [b"{}", b"x" * 2_000_000], ids=["none", "too-long"])
def test_what_is_no_signature_is_refused(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path, data: bytes
) -> None:
    store.put_bytes(data, f"{URI}.sig")
    keys = signers.public_file(tmp_path, KEY)
    believed = Believed(public_keys=keys, policy="IfPresent")
    assert fetched(stored, folder, believed, termination_log) == (1, "SignatureInvalid")


def test_another_archive_with_its_own_digest_does_not_pass_by_a_signature_of_this_one(
    stored: str, folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    store.put_bytes(b"another", URI)
    believed = Believed(public_keys=signers.public_file(tmp_path, KEY))
    sha256 = hashlib.sha256(b"another").hexdigest()
    assert fetched(sha256, folder, believed, termination_log) == (1, "SignatureInvalid")


def test_a_store_that_does_not_answer_is_no_archive_without_a_signature(
    stored: str,
    folder: Path,
    tmp_path: Path,
    termination_log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> bytes:
        raise store.StoreUnavailableError("The store does not answer.")

    monkeypatch.setattr(store, "get_bytes", away)
    keys = signers.public_file(tmp_path, KEY)
    believed = Believed(public_keys=keys, policy="IfPresent")
    assert fetched(stored, folder, believed, termination_log) == (75, "StoreUnavailable")


def test_an_encrypted_archive_is_verified_as_the_server_gets_it(
    stored: str,
    folder: Path,
    tmp_path: Path,
    termination_log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyset, private = tmp_path / "keyset.json", tmp_path / "private.pem"
    keyset.write_text(keysets.KEYSET)
    private.write_bytes(signers.private_pem(KEY))
    monkeypatch.setattr(packaged, "KEYSET", keyset)
    monkeypatch.setattr(packaged, "PRIVATE_KEY", private)
    archive = tmp_path / "net-1.0.mar"
    made = packaged.signature({"sign": {"keySecretRef": {}}}, archive)
    assert made
    sealed = packaged.sealed({"encrypt": {"keySecretRef": {}}}, archive, "place").read_bytes()
    store.put_bytes(sealed, URI)
    store.put_bytes(made, f"{URI}.sig")
    believed = Believed(keyset, "place", signers.public_file(tmp_path, KEY))
    sha256 = hashlib.sha256(sealed).hexdigest()
    assert fetched(sha256, folder, believed, termination_log) == (0, "Fetched")
    assert (folder / "net.mar").read_bytes() == CONTENT


FOLDER = "s3://slipway/shared/model/"
FILES = {"config.json": b"{}", "parts/weights.bin": b"weights"}


def put_folder(files: dict[str, bytes]) -> str:
    """Store a folder; returns its digest."""
    for name, content in files.items():
        store.put_bytes(content, FOLDER + name)
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("uri", [FOLDER, FOLDER.rstrip("/")])
def test_a_folder_is_served_that_one_of_the_keys_signed(tmp_path: Path, uri: str) -> None:
    sha256, folder = put_folder(FILES), tmp_path / "model"
    store.put_bytes(signers.folder_signature(FILES, KEY), "s3://slipway/shared/model.sig")
    fetch.fetch_into(uri, sha256, folder, Believed(public_keys=signers.public_file(tmp_path, KEY)))
    assert (folder / "parts" / "weights.bin").read_bytes() == b"weights"


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("signed", "key", "reason", "why"),
    [
        ({**FILES, "config.json": b"[]"}, KEY, "SignatureInvalid", "'config.json' is another"),
        ({"config.json": b"{}"}, KEY, "SignatureInvalid", "'parts/weights.bin' is not signed"),
        ({**FILES, "more": b""}, KEY, "SignatureInvalid", "'more' is signed and not there"),
        ({".": b"{}"}, KEY, "SignatureInvalid", "of one file, and this is a folder"),
        ({}, KEY, "SignatureInvalid", "is not signed"),
        (FILES, OTHER, "UnknownSigner", "none of the public keys"),
    ],
)
def test_a_folder_whose_signature_is_of_other_files_is_refused_whatever_the_policy(
    tmp_path: Path,
    signed: dict[str, bytes],
    key: ec.EllipticCurvePrivateKey,
    reason: str,
    why: str,
) -> None:
    sha256, folder = put_folder(FILES), tmp_path / "model"
    store.put_bytes(signers.folder_signature(signed, key), "s3://slipway/shared/model.sig")
    believed = Believed(public_keys=signers.public_file(tmp_path, KEY), policy="IfPresent")
    with pytest.raises(fetch.FetchError, match=why) as caught:
        fetch.fetch_into(FOLDER, sha256, folder, believed)
    assert (caught.value.reason, list(folder.iterdir())) == (reason, [])


@pytest.mark.usefixtures("s3")
def test_a_folder_that_nobody_signed_is_served_where_the_policy_is_if_present(
    tmp_path: Path,
) -> None:
    sha256, folder = put_folder(FILES), tmp_path / "model"
    keys = signers.public_file(tmp_path, KEY)
    with pytest.raises(fetch.FetchError, match=r"named [.]sig") as caught:
        fetch.fetch_into(FOLDER, sha256, folder, Believed(public_keys=keys))
    assert (caught.value.reason, list(folder.iterdir())) == ("SignatureMissing", [])
    fetch.fetch_into(FOLDER, sha256, folder, Believed(public_keys=keys, policy="IfPresent"))
    assert (folder / "config.json").read_bytes() == b"{}"


@pytest.mark.usefixtures("s3")
def test_a_signature_of_a_folder_does_not_pass_for_that_of_its_archive(
    folder: Path, tmp_path: Path, termination_log: Path
) -> None:
    store.put_bytes(CONTENT, URI)
    store.put_bytes(signers.folder_signature({"net-1.0.mar": CONTENT}, KEY), f"{URI}.sig")
    believed = Believed(public_keys=signers.public_file(tmp_path, KEY))
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert fetched(sha256, folder, believed, termination_log) == (1, "SignatureInvalid")


@pytest.mark.parametrize("argument", ["--public-keys", "--public-keys-pem"])
def test_keys_that_cannot_be_used_are_told_to_who_wrote_them(
    stored: str, tmp_path: Path, termination_log: Path, argument: str
) -> None:
    path = tmp_path / "public.pem"
    pem = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----"
    path.write_text(pem)
    keys, field = {
        "--public-keys": (str(path), "model.verification"),
        "--public-keys-pem": (pem, "the chart's verification.publicKeys"),
    }[argument]
    where = ["--uri", URI, "--sha256", stored, "--dest", str(tmp_path / "model.mar")]
    assert fetch.main([*where, f"{argument}={keys}"]) == 1
    word = json.loads(termination_log.read_text())
    assert (word["reason"], f"What {field} names cannot be used" in word["message"]) == (
        "InvalidKey",
        True,
    )


def test_the_program_takes_the_keys_and_the_policy_as_arguments(
    stored: str, tmp_path: Path, termination_log: Path
) -> None:
    keys = signers.public_file(tmp_path, OTHER)
    where = ["--uri", URI, "--sha256", stored, "--dest", str(tmp_path / "model.mar")]
    code = fetch.main([*where, "--public-keys", str(keys), "--policy", "Required"])
    assert (code, json.loads(termination_log.read_text())["reason"]) == (1, "UnknownSigner")
