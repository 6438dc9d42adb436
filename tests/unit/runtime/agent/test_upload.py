import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
from s3fs import S3FileSystem

from slipway_pods import beneath
from slipway_pods.agent import upload
from slipway_pods.store import manifest as manifests
from slipway_pods.store import multipart, store
from slipway_pods.store.manifest import OutputError
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


def skipped(told: dict[str, Any]) -> dict[str, str]:
    return {one["path"]: one["why"] for one in told["skipped"]["first"]}


def test_links_are_followed_inside_the_output_and_all_that_is_left_out_is_named(
    s3: S3Server, output: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    (output / "latest.pt").symlink_to("model.pt")
    (output / "logs" / "best.pt").symlink_to(output / "model.pt")
    (output / "stolen").symlink_to(secret)
    (output / "folder").symlink_to(tmp_path)
    (output / "newest").symlink_to("logs")
    (output / "gone").symlink_to("nowhere")
    os.mkfifo(output / "pipe")
    (output / "_manifest.json").write_text("the user's own")
    told = upload.upload(output, URI)
    assert set(manifest(s3)) == {"latest.pt", "logs/best.pt", "logs/loss.txt", "model.pt"}
    assert skipped(told) == {
        "_manifest.json": "the store's own manifest has this name",
        "folder": "it is a link that leads out",
        "gone": "it is a link to nothing",
        "newest": "it is a link to a folder or to no regular file",
        "pipe": "it is a pipe, a socket or a device",
        "stolen": "it is a link that leads out",
    }
    assert told["skipped"]["count"] == 6
    assert json.loads(s3.read(f"{PREFIX}/_manifest.json"))["skipped"][0]["path"] == "_manifest.json"


def test_of_many_things_left_out_ten_are_named_and_all_are_counted(
    s3: S3Server, output: Path
) -> None:
    for number in range(30):
        (output / f"{number:0>200}").symlink_to("/etc/passwd")
    told = upload.upload(output, URI)["skipped"]
    assert (told["count"], len(told["first"])) == (30, 10)
    assert len(json.dumps(told)) < 2500
    assert all(len(one["path"]) <= upload.MAX_NAME for one in told["first"])


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become a user who may not read")
@pytest.mark.parametrize(
    ("path", "what"), [("closed", "the folder"), ("logs/loss.txt", "it"), ("open/closed", "it")]
)
def test_what_nobody_can_read_fails_the_output_by_its_name(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch, path: str, what: str
) -> None:
    (output / "closed").mkdir()
    (output / "closed" / "weights").write_text("x")
    (output / "open").mkdir()
    (output / "open" / "closed").write_text("x")
    (output / path).chmod(0)
    find = manifests.find

    def as_another_user(folder: beneath.Folder) -> Any:
        os.seteuid(10001)
        try:
            return find(folder)
        finally:
            os.seteuid(0)

    monkeypatch.setattr(manifests, "find", as_another_user)
    with pytest.raises(OutputError, match=f"The output has '{path}', but {what} cannot be read"):
        upload.upload(output, URI)
    assert s3.keys(PREFIX) == set()


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of more than ten bytes go to the store as large ones do."""
    monkeypatch.setattr(store, "AT_ONCE", 10)


@pytest.mark.usefixtures("small_requests")
def test_a_file_that_changes_meanwhile_costs_itself_and_nothing_else(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put_file

    def change(file: IO[bytes], uri: str) -> None:
        put(file, uri)
        if uri.endswith("model.pt"):
            (output / "model.pt").write_bytes(os.urandom(7000))

    monkeypatch.setattr(store, "put_file", change)
    told = upload.upload(output, URI)
    assert skipped(told) == {"model.pt": "it changed while it was stored"}
    assert told["files"] == 1
    assert s3.keys(PREFIX) == {"_manifest.json", "logs/loss.txt"}
    assert set(manifest(s3)) == {"logs/loss.txt"}


@pytest.mark.usefixtures("small_requests")
def test_a_file_that_changes_once_is_stored_as_it_is_then(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, changed = store.put_file, list[str]()

    def change(file: IO[bytes], uri: str) -> None:
        put(file, uri)
        if not changed:
            changed.append(uri)
            (output / "model.pt").write_bytes(b"the last words of it")

    monkeypatch.setattr(store, "put_file", change)
    assert "skipped" not in upload.upload(output, URI)
    assert s3.read(f"{PREFIX}/model.pt") == b"the last words of it"


def test_a_file_that_gets_shorter_between_its_parts_costs_itself(
    s3: S3Server, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (output / "large.bin").write_bytes(os.urandom(3 * store.CHUNK))
    read = multipart._read

    def shrink(file: IO[bytes], number: int, chunk: int) -> bytes:
        os.truncate(output / "large.bin", store.CHUNK // 2)
        return read(file, number, chunk)

    monkeypatch.setattr(multipart, "_read", shrink)
    told = upload.upload(output, URI)
    # The second try meets a small file, which is stored as it is.
    assert "skipped" not in told
    assert manifest(s3)["large.bin"]["sizeBytes"] == store.CHUNK // 2


def test_what_is_sent_is_what_was_hashed_whatever_a_name_stands_for_meanwhile(
    s3: S3Server, output: Path, tmp_path: Path
) -> None:
    """A script flips links between a file and a secret, as fast as it can, while it is stored."""
    secret = tmp_path / "secret"
    secret.write_text("AWS_SECRET_ACCESS_KEY=secret")
    (output / "real").write_text("real")
    for number in range(20):
        (output / f"x{number}").write_text("real")
    flips = (
        "import itertools, os, sys\n"
        "os.chdir(sys.argv[1])\n"
        "for n in itertools.count():\n"
        "    name = f'x{n % 20}'\n"
        "    os.symlink(sys.argv[2] if n // 20 % 2 else 'real', '.new')\n"
        "    os.replace('.new', name)\n"
    )
    with subprocess.Popen([sys.executable, "-c", flips, str(output), str(secret)]) as flipper:
        try:
            for _ in range(5):
                upload.upload(output, URI)
                stored = {s3.read(f"{PREFIX}/{key}") for key in s3.keys(PREFIX) if key[0] == "x"}
                assert stored <= {b"real"}
        finally:
            flipper.kill()


@pytest.mark.parametrize("name", ["a\nb", "%2e%2e", "a%2F..%2Fb", "x%00y"])
def test_a_name_that_is_no_place_in_the_store_fails_the_output(
    s3: S3Server, output: Path, name: str
) -> None:
    (output / name).write_text("x")
    with pytest.raises(OutputError, match="whose name cannot be stored"):
        upload.upload(output, URI)


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
    thread.join(timeout=120)
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
    command = [sys.executable, "-I", "-m", "slipway_pods.agent.upload", str(output), URI]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pipesize=4096) as process:
        assert process.stdout is not None
        assert (
            "stored" in process.stdout.readline()
        )  # what is not read fills the pipe, and holds it
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


def test_a_store_that_is_away_is_waited_for_an_hour_and_no_longer() -> None:
    assert not upload.give_up(store.StoreUnavailableError(), 3599.0)
    assert upload.give_up(store.StoreUnavailableError(), 3601.0)


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
