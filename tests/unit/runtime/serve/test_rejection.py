"""An archive that missed a gate is brought to no server, whatever it is called."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from slipway_pods.bring.download import tree_digest
from slipway_pods.package import mar
from slipway_pods.serve import fetch, rejection
from slipway_pods.store import store
from tests.harness.s3 import S3Server
from tests.unit.runtime import archives

PLACE = "s3://slipway/models/ns/net/uid"


def archive(folder: Path, *, rejected: bool) -> bytes:
    path = folder / "made.mar"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("MAR-INF/MANIFEST.json", "{}")
        bundle.writestr("model.pt", "weights")
    if rejected:
        mar.add(path, rejection.MARK, rejection.TEXT)
    content = path.read_bytes()
    path.unlink()
    return content


def bring(uri: str, digest: str, folder: Path) -> int:
    return fetch.main(["--uri", uri, "--sha256", digest, "--folder", str(folder)])


def reason(log: Path) -> str:
    return str(json.loads(log.read_text())["reason"])


@pytest.mark.parametrize("name", ["net-1.0.mar", "copy-of-it", "other.zip"])
def test_a_rejected_archive_is_put_nowhere(
    s3: S3Server, termination_log: Path, tmp_path: Path, name: str
) -> None:
    content, uri, dest = archive(tmp_path, rejected=True), f"{PLACE}/{name}", tmp_path / "x" / "m"
    store.put_bytes(content, uri)
    assert fetch.run(uri, hashlib.sha256(content).hexdigest(), dest) == 1
    assert reason(termination_log) == "Rejected"
    assert list(dest.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["net-1.0.mar", "copy-of-it", "other.zip"])
def test_a_server_of_the_users_own_gets_no_rejected_archive(
    s3: S3Server, termination_log: Path, tmp_path: Path, name: str
) -> None:
    content, folder = archive(tmp_path, rejected=True), tmp_path / "model"
    store.put_bytes(content, f"{PLACE}/{name}")
    digest = hashlib.sha256(content).hexdigest()
    assert (
        fetch.main(["--uri", f"{PLACE}/{name}", "--sha256", digest, "--folder", str(folder)]) == 1
    )
    assert reason(termination_log) == "Rejected"
    assert list(folder.iterdir()) == []


def test_nor_one_that_lies_in_a_folder(s3: S3Server, termination_log: Path, tmp_path: Path) -> None:
    inside, folder = tmp_path / "in", tmp_path / "model"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "net.mar").write_bytes(archive(tmp_path, rejected=True))
    store.put_bytes((inside / "deep" / "net.mar").read_bytes(), f"{PLACE}/all/deep/net.mar")
    digest = tree_digest(inside)
    assert bring(f"{PLACE}/all/", digest, folder) == 1
    assert reason(termination_log) == "Rejected"
    assert list(folder.iterdir()) == []


def test_an_archive_of_which_torchserve_sees_another_file_is_put_nowhere(
    s3: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    content, dest = archive(tmp_path, rejected=False), tmp_path / "x" / "m"
    hidden = archives.zipped({"MAR-INF/MANIFEST.json": b'{"model": {"handler": "other.py"}}'})
    content = archives.unlisted(content, hidden)
    store.put_bytes(content, f"{PLACE}/net.mar")
    digest = hashlib.sha256(content).hexdigest()
    assert fetch.run(f"{PLACE}/net.mar", digest, dest) == 1
    assert reason(termination_log) == "InvalidArchive"
    assert "differ" in json.loads(termination_log.read_text())["message"]
    assert list(dest.parent.iterdir()) == []


def test_an_archive_without_the_mark_is_served(
    s3: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    content = archive(tmp_path, rejected=False)
    store.put_bytes(content, f"{PLACE}/net.mar")
    assert fetch.run(f"{PLACE}/net.mar", hashlib.sha256(content).hexdigest(), tmp_path / "m") == 0


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + b"\xff" * 18, b"weights" * 99])
def test_what_is_no_archive_has_no_mark(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any"
    file.write_bytes(content)
    assert not rejection.is_marked(file)
