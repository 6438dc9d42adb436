"""The init containers that bring sources and inputs: their files, logs and last words."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from slipway_pods import room
from slipway_pods.bring import bring_input, bring_source, bringing, download
from slipway_pods.store import store
from tests.harness.s3 import S3Server
from tests.unit.runtime.git_server import commit, git, serve

DATA = b"0123456789" * 200_000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Pod:
    """One pod's folder, and what its last init container said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder / "brought"
        self.folder.mkdir()
        self._word = folder / "termination-log"
        monkeypatch.setenv("SLIPWAY_TERMINATION_LOG", str(self._word))
        monkeypatch.setattr(bringing, "stop_on_signal", lambda: None)

    def bring_input(
        self, uri: str, digest: str | None = None, *, is_told: bool = False, **env: str
    ) -> int:
        wanted = {"name": "data", "uri": uri, "sha256": digest, "isDigestTold": is_told}
        told = {"SLIPWAY_INPUT": json.dumps(wanted), "SLIPWAY_INPUT_DIR": str(self.folder)}
        return self._run(bring_input.main, {**told, **env})

    def bring_source(self, source: dict[str, Any], **env: str) -> int:
        told = {"SLIPWAY_SOURCE": json.dumps(source), "SLIPWAY_SOURCE_DIR": str(self.folder)}
        return self._run(bring_source.main, {**told, **env})

    def _run(self, main: Callable[[], int], env: dict[str, str]) -> int:
        S3FileSystem.clear_instance_cache()
        with self._monkeypatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            return main()

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._word.read_text())
        return found

    def files(self) -> dict[str, int]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.stat().st_size for path in paths}


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    return Pod(tmp_path, monkeypatch)


def test_a_file_from_s3_is_brought_and_its_progress_told(
    pod: Pod, s3: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    (s3.bucket / "rows.csv").write_bytes(DATA)
    assert pod.bring_input("s3://slipway/rows.csv", sha256(DATA)) == 0
    assert pod.files() == {"rows.csv": len(DATA)}
    assert "input data: 1.9 of 1.9 MiB (100 %)" in capsys.readouterr().err
    assert pod.word["reason"] == "Fetched"


def test_a_folder_from_s3_is_brought_with_all_beneath_it(pod: Pod, s3: S3Server) -> None:
    for name in ("set/a.csv", "set/deep/b.csv", "settings.csv"):
        (s3.bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (s3.bucket / name).write_text(name)
    assert pod.bring_input("s3://slipway/set") == 0
    assert set(pod.files()) == {"a.csv", "deep/b.csv"}
    assert pod.bring_input("s3://slipway/set/", download.tree_digest(pod.folder)) == 0


def test_the_digest_of_a_folder_is_the_one_that_the_shell_tells(pod: Pod) -> None:
    for name in ("b", "a b", "B", "c/d"):
        (pod.folder / name).parent.mkdir(exist_ok=True)
        (pod.folder / name).write_text(name)
    command = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    argv = ["bash", "-c", command]
    told = subprocess.run(argv, cwd=pod.folder, capture_output=True, text=True, check=True)
    assert download.tree_digest(pod.folder) == told.stdout.split()[0]


def test_an_input_with_another_digest_is_refused(pod: Pod, s3: S3Server) -> None:
    (s3.bucket / "rows.csv").write_bytes(DATA)
    assert pod.bring_input("s3://slipway/rows.csv", "0" * 64) == 1
    assert pod.word["reason"] == "DigestMismatch"
    assert f"has the SHA-256 {sha256(DATA)}, not {'0' * 64}" in pod.word["message"]


def test_the_first_pod_tells_the_digest_of_an_input_if_asked_to_and_it_is_not_too_large(
    pod: Pod, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (s3.bucket / "rows.csv").write_bytes(DATA)

    def told(index: str = "0", *, is_told: bool = True) -> bool:
        rows = "s3://slipway/rows.csv"
        assert pod.bring_input(rows, is_told=is_told, JOB_COMPLETION_INDEX=index) == 0
        assert pod.word.get("sha256", sha256(DATA)) == sha256(DATA)
        return "sha256" in pod.word

    assert told()
    assert not told("1")
    assert not told(is_told=False)
    monkeypatch.setattr(bring_input, "MOST_HASHED", len(DATA) - 1)
    assert not told()
    assert pod.bring_input("s3://slipway/rows.csv", sha256(DATA)) == 0
    assert pod.word["sha256"] == sha256(DATA)


def test_an_input_that_is_not_there_is_told(pod: Pod, s3: S3Server) -> None:
    assert pod.bring_input("s3://slipway/none.csv") == 1
    assert pod.word["reason"] == "InputNotFound"
    assert "There is nothing at s3://slipway/none.csv" in pod.word["message"]


def test_an_input_that_the_credentials_do_not_open_is_told(pod: Pod, s3: S3Server) -> None:
    assert pod.bring_input("s3://slipway/a.csv", AWS_SECRET_ACCESS_KEY="wrong") == 1
    assert pod.word["reason"] == "AccessDenied"


def test_a_file_from_the_web_is_brought(pod: Pod, http_root: tuple[Path, str]) -> None:
    folder, url = http_root
    (folder / "rows one.csv").write_bytes(DATA)
    assert pod.bring_input(f"{url}/rows%20one.csv?version=2", sha256(DATA)) == 0
    assert pod.files() == {"rows one.csv": len(DATA)}


def test_a_file_that_the_web_does_not_have_is_told(pod: Pod, http_root: tuple[Path, str]) -> None:
    assert pod.bring_input(f"{http_root[1]}/none.csv") == 1
    assert pod.word["reason"] == "InputNotFound"


def test_what_a_claim_holds_is_only_checked(pod: Pod) -> None:
    (pod.folder / "rows.csv").write_bytes(DATA)
    assert pod.bring_input("pvc://claim/rows", sha256(DATA)) == 0
    assert pod.bring_input("pvc://claim/rows", "0" * 64) == 1
    assert pod.word["reason"] == "DigestMismatch"


def test_an_archive_is_unpacked_as_the_source(pod: Pod, s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x")
    with tarfile.open(s3.bucket / "code.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "train.py", "net/train.py")
    digest = sha256(s3.read("code.tar.gz"))
    wanted = {"uri": "s3://slipway/code.tar.gz", "sha256": digest}
    assert pod.bring_source({"archive": wanted}) == 0
    assert set(pod.files()) == {"net/train.py"}
    assert pod.word["revision"] == digest


def test_a_source_whose_handler_cannot_be_served_costs_no_training(
    pod: Pod, s3: S3Server, tmp_path: Path
) -> None:
    (tmp_path / "handler.py").write_text("x = (1\n")
    with tarfile.open(s3.bucket / "code.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "handler.py", "net/handler.py")
    wanted = {"uri": "s3://slipway/code.tar.gz", "sha256": None}
    told = {
        "SLIPWAY_PACKAGE_CODE": json.dumps({"handler": "handler.py"}),
        "SLIPWAY_PACKAGE_FOLDER": str(pod.folder / "net"),
    }
    assert pod.bring_source({"archive": wanted}, **told) == 1
    assert pod.word["reason"] == "InvalidHandler"
    assert "line 1" in pod.word["message"]


def test_an_archive_with_another_digest_is_not_unpacked(
    pod: Pod, http_root: tuple[Path, str]
) -> None:
    folder, url = http_root
    (folder / "code.tar").write_bytes(DATA)
    wanted = {"uri": f"{url}/code.tar", "sha256": "0" * 64}
    assert pod.bring_source({"archive": wanted}) == 1
    assert pod.word["reason"] == "DigestMismatch"
    assert pod.files() == {}


def test_what_is_no_archive_is_told(pod: Pod, http_root: tuple[Path, str]) -> None:
    folder, url = http_root
    (folder / "code.tar").write_bytes(DATA)
    assert pod.bring_source({"archive": {"uri": f"{url}/code.tar", "sha256": None}}) == 1
    assert pod.word["reason"] == "InvalidArchive"


def test_a_commit_is_brought_as_the_source_with_a_password(pod: Pod, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet")
    wanted = commit(origin, train="x")
    with serve(tmp_path, "bot", "secret") as url:
        source = {"git": {"url": f"{url}/origin", "ref": "main"}}
        assert pod.bring_source(source, username="bot", password="secret") == 0
        assert pod.word["revision"] == wanted
        assert pod.bring_source(source, username="bot", password="wrong") == 1
        assert pod.word["reason"] == "AccessDenied"
    assert set(pod.files()) == {"train.py"}


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://host/sets/train.csv?X-Amz-Signature=a%2Fb", "train.csv"),
        ("https://bucket.host/team%2Fsets%2Ftrain.csv?sig=x", "train.csv"),
        ("https://host/a%20b.csv", "a b.csv"),
        ("http://h/a/..%2f..%2fescaped.txt", "escaped.txt"),
        ("http://h/%2Fsome%2Fabsolute.txt", "absolute.txt"),
        ("http://h/a/..%2f..", "data"),
        ("http://h/a/%2e%2e", "data"),
        ("http://h/a/x%00y", "data"),
        ("http://h", "data"),
        ("s3://bucket/50%25.csv", "50%25.csv"),
    ],
)
def test_a_files_own_name_never_leads_out_of_the_folder(uri: str, name: str) -> None:
    assert download.file_name(uri) == name


def test_an_encoded_way_out_of_an_http_input_is_refused(
    http_root: tuple[Path, str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    uri = f"{http_root[1]}/a/..%2f..%2fescaped.txt"
    with pytest.raises(store.ForbiddenUriError, match="without the parts"):
        download.bring(uri, tmp_path / "in", "input")
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("told", [True, False])
def test_what_there_is_no_room_for_is_not_brought(
    http_root: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    folder, url = http_root
    (folder / "large").write_bytes(DATA)
    monkeypatch.setattr(room, "free", lambda _: 1000)
    if not told:
        monkeypatch.setattr(store, "told_size", lambda _: None)
    (tmp_path / "in").mkdir()
    with pytest.raises((OSError, store.TooLargeError)) as raised:
        download.bring(f"{url}/large", tmp_path / "in", "input")
    assert bringing.reason_of(raised.value, "NotFound") == "DiskFull"


def test_an_input_that_is_larger_than_its_volume_is_refused_before_it_comes(
    http_root: tuple[Path, str], pod: Pod
) -> None:
    folder, url = http_root
    (folder / "large").write_bytes(DATA)
    limits = json.dumps({str(pod.folder): len(DATA) - 1})
    assert pod.bring_input(f"{url}/large", SLIPWAY_ROOM=limits) == 1
    assert pod.word["reason"] == "DiskFull"
    assert "volumeSizes" in pod.word["message"]
    assert pod.files() == {}


def test_a_repository_that_is_larger_than_its_volume_is_refused(pod: Pod, tmp_path: Path) -> None:
    origin = tmp_path / "git" / "origin"
    origin.mkdir(parents=True)
    git(origin, "init", "--quiet")
    (origin / "noise").write_bytes(os.urandom(200_000))
    commit(origin, train="x")
    env = {
        **os.environ,
        "SLIPWAY_SOURCE": json.dumps({"git": {"url": str(origin)}}),
        "SLIPWAY_SOURCE_DIR": str(pod.folder),
        "SLIPWAY_ROOM": json.dumps({str(pod.folder): 150_000}),
    }
    command = [sys.executable, "-m", "slipway_pods.bring.bring_source"]
    assert subprocess.run(command, env=env, check=False).returncode == 1
    assert pod.word["reason"] == "DiskFull"
    assert sum(pod.files().values()) <= 150_000
