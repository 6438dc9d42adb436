import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from s3fs import S3FileSystem

from slipway_runtime import store, upload
from slipway_runtime.manifest import OutputError
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.runtime.cutting_proxy import cutting_proxy

PREFIX = "outputs/ns/net/uid"
URI = f"s3://slipway/{PREFIX}"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    (folder / "logs").mkdir(parents=True)
    (folder / "model.pt").write_bytes(b"weights" * 1000)
    (folder / "logs" / "loss.txt").write_text("0.5")
    return folder


def manifest(s3: S3Server) -> dict[str, Any]:
    files = json.loads(s3.read(f"{PREFIX}/_manifest.json"))["files"]
    return {file["path"]: file for file in files}


def test_all_files_are_stored_and_the_manifest_tells_their_digests(
    s3: S3Server, output: Path
) -> None:
    assert upload.upload(output, URI) == {"uri": URI, "files": 2, "sizeBytes": 7003}
    assert s3.keys(PREFIX) == {"_manifest.json", "logs/loss.txt", "model.pt"}
    found = manifest(s3)["model.pt"]
    content = s3.read(f"{PREFIX}/model.pt")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["sizeBytes"] == len(content) == 7000


def test_a_file_of_several_parts_arrives_whole(s3: S3Server, output: Path) -> None:
    content = os.urandom(3 * store.CHUNK + 7)
    (output / "large.bin").write_bytes(content)
    upload.upload(output, URI)
    assert s3.read(f"{PREFIX}/large.bin") == content


def test_an_empty_output_has_a_manifest_too(s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert upload.upload(tmp_path / "none", URI)["files"] == 0
    assert manifest(s3) == {}


def test_the_same_output_is_not_stored_twice(s3: S3Server, output: Path) -> None:
    upload.upload(output, URI)
    before = (s3.bucket / PREFIX / "model.pt").stat().st_mtime_ns
    upload.upload(output, URI)
    assert (s3.bucket / PREFIX / "model.pt").stat().st_mtime_ns == before


def test_another_tries_output_takes_the_place_of_the_one_before(s3: S3Server, output: Path) -> None:
    upload.upload(output, URI)
    (output / "model.pt").write_bytes(b"better")
    upload.upload(output, URI)
    assert manifest(s3)["model.pt"]["sizeBytes"] == 6


def test_links_are_followed_inside_the_output_and_nowhere_else(
    s3: S3Server, output: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    (output / "latest.pt").symlink_to("model.pt")
    (output / "stolen").symlink_to(secret)
    (output / "folder").symlink_to(tmp_path)
    (output / "gone").symlink_to("nowhere")
    os.mkfifo(output / "pipe")
    upload.upload(output, URI)
    assert set(manifest(s3)) == {"latest.pt", "logs/loss.txt", "model.pt"}


def test_a_file_that_changes_meanwhile_is_not_called_stored(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put_file

    def change(path: Path, uri: str) -> None:
        put(path, uri)
        path.write_bytes(b"changed")

    monkeypatch.setattr(store, "put_file", change)
    with pytest.raises(OutputError, match="changed while it was stored"):
        upload.upload(output, URI)
    assert "_manifest.json" not in s3.keys(PREFIX)


def test_an_upload_waits_for_a_store_that_is_down(
    s3: S3Server, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.stop()
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(upload.upload(output, URI)))
    thread.start()
    told: list[str] = []

    def says_so() -> bool:
        told.append(capsys.readouterr().out)
        return "cannot be reached" in "".join(told)

    wait_for(says_so, 60, "the upload says that the store is down")
    s3.start()
    thread.join(timeout=60)
    assert results == [{"uri": URI, "files": 2, "sizeBytes": 7003}]
    assert set(manifest(s3)) == {"logs/loss.txt", "model.pt"}


def test_connections_that_break_in_the_middle_are_made_again(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 * store.CHUNK)
    (output / "large.bin").write_bytes(content)
    with cutting_proxy(s3.port, cuts=4, after=store.CHUNK // 2) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        upload.upload(output, URI)
    assert proxy.done == 4
    assert s3.read(f"{PREFIX}/large.bin") == content


def test_an_upload_that_is_killed_in_the_middle_leaves_no_manifest(
    s3: S3Server, output: Path
) -> None:
    for number in range(500):
        (output / f"part{number:03}").write_text(str(number))
    command = [sys.executable, "-m", "slipway_runtime.upload", str(output), URI]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "stored" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert 0 < len(s3.keys(PREFIX)) < 500
    assert "_manifest.json" not in s3.keys(PREFIX)
    assert upload.upload(output, URI)["files"] == 502


@pytest.mark.parametrize(
    ("uri", "secret", "reason"),
    [
        ("s3://no-such-bucket/outputs", "secret", "bucket of s3://no-such-bucket"),
        (URI, "wrong", "denies access"),
    ],
)
def test_a_store_that_says_no_is_asked_again_for_some_time_only(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch, uri: str, secret: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setattr(upload, "DENIED_SECONDS", 0.0)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(store.StoreError, match=reason):
        upload.upload(output, uri)
    assert not upload.give_up(store.StoreUnavailableError(), 1e9)


def test_a_store_that_comes_back_and_says_no_for_a_moment_does_not_cost_the_output(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, *(1000.0 * n for n in range(1, 9))])
    fake = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None)
    monkeypatch.setattr(store, "time", fake)
    outcomes = iter(
        [
            store.StoreUnavailableError("away"),
            store.StoreUnavailableError("still away"),
            store.AccessDeniedError("its users are not there yet"),
        ]
    )

    def action() -> str:
        error = next(outcomes, None)
        if error is not None:
            raise error
        return "stored"

    assert upload.persist(action) == "stored"
