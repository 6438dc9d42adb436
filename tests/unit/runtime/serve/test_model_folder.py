"""What a server of the user's own finds in its model's folder, whatever lies at the URI."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_pods.bring.download import tree_digest
from slipway_pods.serve import fetch
from slipway_pods.store import store
from tests.harness.s3 import S3Server

PICKLED = b"\x80\x05pickled"
FILES = {
    "model/weights.bin": b"w" * 5000,
    "model/config.json": b"{}",
    "MAR-INF/MANIFEST.json": b"{}",
}
PLACE = "s3://slipway/models/ns/net/uid"


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


ARCHIVES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "net.mar": zipped,
    "net.ZIP": zipped,
    "net.tar": tarred,
    "net.tar.gz": lambda files: gzip.compress(tarred(files)),
    "net.tgz": lambda files: gzip.compress(tarred(files)),
    "net.tar.bz2": lambda files: bz2.compress(tarred(files)),
    "net.tar.xz": lambda files: lzma.compress(tarred(files)),
}


@pytest.fixture
def folder(
    s3: S3Server, termination_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setattr("slipway_pods.bring.download.PATIENCE", 0.0)
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "model"


def placed(folder: Path, uri: str, sha256: str) -> int:
    return fetch.main(["--uri", uri, "--sha256", sha256, "--folder", str(folder)])


def put(name: str, content: bytes) -> tuple[str, str]:
    """Store a file; return its URI and its digest."""
    store.put_bytes(content, f"{PLACE}/{name}")
    return f"{PLACE}/{name}", hashlib.sha256(content).hexdigest()


def found(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def reason(log: Path) -> str:
    return str(json.loads(log.read_text())["reason"])


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_unpacked(folder: Path, name: str) -> None:
    assert placed(folder, *put(name, ARCHIVES[name](FILES))) == 0
    assert found(folder) == FILES
    assert {path.name for path in folder.parent.iterdir()} == {"model", ".model.sha256"}


@pytest.mark.parametrize("name", ["model.pkl", "model.keras", "model.pt"])
def test_any_other_file_has_its_own_name(folder: Path, name: str) -> None:
    content = zipped(FILES)  # as the files of Keras and torch are
    assert placed(folder, *put(name, content)) == 0
    assert found(folder) == {name: content}


def test_a_folder_is_as_it_is_under_the_digest_of_what_sha256sum_prints(
    folder: Path, tmp_path: Path
) -> None:
    for name, content in FILES.items():
        put(f"saved/{name}", content)
        path = tmp_path / "saved" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sha256 = tree_digest(tmp_path / "saved")
    assert placed(folder, f"{PLACE}/saved/", sha256) == 0
    assert found(folder) == FILES


@pytest.mark.parametrize("name", ["net.mar", "net.tar.gz", "model.pkl", "saved/"])
def test_what_has_another_digest_leaves_nothing(
    folder: Path, termination_log: Path, name: str
) -> None:
    put("saved/a", b"a")
    if not name.endswith("/"):
        put(name, ARCHIVES.get(name, zipped)(FILES))
    assert placed(folder, f"{PLACE}/{name}", "0" * 64) == 1
    assert reason(termination_log) == "DigestMismatch"
    assert found(folder) == {}


def test_an_archive_that_is_none_leaves_nothing(folder: Path, termination_log: Path) -> None:
    assert placed(folder, *put("net.tar.gz", b"no archive")) == 1
    assert reason(termination_log) == "InvalidArchive"
    assert found(folder) == {}


def test_an_archive_that_leads_out_of_the_folder_is_refused(
    folder: Path, termination_log: Path
) -> None:
    assert placed(folder, *put("net.zip", zipped({"a": b"1", "../../out": b"2"}))) == 1
    assert reason(termination_log) == "InvalidArchive"
    assert {path.name for path in folder.parent.iterdir()} == {"model"}
    assert found(folder) == {}


def test_a_folder_with_an_archives_name_is_told_apart(folder: Path, termination_log: Path) -> None:
    put("net.mar/a", b"a")
    assert placed(folder, f"{PLACE}/net.mar", "0" * 64) == 1
    assert "write a / at the end of its URI" in termination_log.read_text()


@pytest.mark.parametrize("name", ["none.mar", "none/"])
def test_a_model_that_is_not_there_is_told(folder: Path, termination_log: Path, name: str) -> None:
    assert placed(folder, f"{PLACE}/{name}", "0" * 64) == 1
    assert reason(termination_log) == "ModelNotFound"


def test_a_second_start_needs_no_store_and_another_model_replaces_the_first(
    folder: Path, s3: S3Server
) -> None:
    first, second = put("net.mar", zipped(FILES)), put("model.pkl", PICKLED)
    assert placed(folder, *first) == 0
    assert placed(folder, *second) == 0
    assert found(folder) == {"model.pkl": PICKLED}
    s3.stop()
    assert placed(folder, *second) == 0
    assert found(folder) == {"model.pkl": PICKLED}
