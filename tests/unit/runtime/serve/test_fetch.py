import errno
import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from s3fs import S3FileSystem

from slipway_pods.serve import fetch
from slipway_pods.store import store
from tests.harness.s3 import S3Server
from tests.unit.runtime.cutting_proxy import cutting_proxy

CONTENT = b"an archive" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URI = "s3://slipway/models/ns/net/uid/net-1.0.mar"


@pytest.fixture
def stored(s3: S3Server, termination_log: Path, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    store.put_bytes(CONTENT, URI)
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    return s3


def word(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_an_archive_with_the_right_digest_is_put_in_its_place(
    stored: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "models" / "net.mar"
    assert fetch.run(URI, SHA256, dest) == 0
    assert dest.read_bytes() == CONTENT
    assert word(termination_log)["reason"] == "Fetched"
    assert list(dest.parent.iterdir()) == [dest]


def test_an_archive_with_another_digest_is_refused_and_leaves_nothing(
    stored: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "models" / "net.mar"
    assert fetch.run(URI, "0" * 64, dest) == 1
    found = word(termination_log)
    assert found["reason"] == "DigestMismatch"
    assert SHA256 in found["message"]
    assert list(dest.parent.iterdir()) == []


def test_an_archive_of_before_does_not_stay_where_the_new_one_is_refused(
    stored: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "net.mar"
    dest.write_bytes(b"tampered with")
    assert fetch.run(URI, "0" * 64, dest) == 1
    assert not dest.exists()


def test_a_second_start_of_the_container_does_not_download_again(
    stored: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "net.mar"
    assert fetch.run(URI, SHA256, dest) == 0
    stored.stop()
    assert fetch.run(URI, SHA256, dest) == 0


@pytest.mark.parametrize(
    "uri", ["s3://slipway/models/none.mar", "s3://no-such-bucket/models/net.mar"]
)
def test_a_missing_object_or_bucket_is_a_missing_model(
    stored: S3Server, termination_log: Path, tmp_path: Path, uri: str
) -> None:
    assert fetch.run(uri, SHA256, tmp_path / "net.mar") == 1
    found = word(termination_log)
    assert found["reason"] == "ModelNotFound"
    assert "slipway" in found["message"] or "no-such-bucket" in found["message"]


def test_wrong_credentials_are_told_as_such(
    stored: S3Server, termination_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    S3FileSystem.clear_instance_cache()
    assert fetch.run(URI, SHA256, tmp_path / "net.mar") == 1
    assert word(termination_log)["reason"] == "AccessDenied"


def test_a_store_that_is_down_is_worth_another_try(
    stored: S3Server, termination_log: Path, tmp_path: Path
) -> None:
    stored.stop()
    assert fetch.run(URI, SHA256, tmp_path / "net.mar") == 75
    assert word(termination_log)["reason"] == "StoreUnavailable"


def test_connections_that_break_in_the_middle_are_made_again(
    stored: S3Server, termination_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = CONTENT * 20
    store.put_bytes(content, URI)
    S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(fetch, "PATIENCE", 60.0)
    with cutting_proxy(stored.port, cuts=4, after=store.CHUNK // 2) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        code = fetch.run(URI, hashlib.sha256(content).hexdigest(), tmp_path / "net.mar")
    assert (code, proxy.done) == (0, 4)


def test_a_full_disk_is_told_as_such(
    stored: S3Server, termination_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "get_file", full)
    assert fetch.run(URI, SHA256, tmp_path / "net.mar") == 1
    found = word(termination_log)
    assert (found["reason"], "keeps 5 % free" in found["message"]) == ("DiskFull", True)


def test_another_scheme_is_answered_with_the_ones_there_are(
    termination_log: Path, tmp_path: Path
) -> None:
    assert fetch.run("ftp://host/net.mar", SHA256, tmp_path / "net.mar") == 1
    assert "s3://, gs://, az://, hf://, http:// or https://" in word(termination_log)["message"]


@pytest.mark.parametrize(
    ("path", "reason"), [("/net.mar", "Fetched"), ("/none.mar", "ModelNotFound")]
)
def test_http_is_read_too(
    http_root: tuple[Path, str], termination_log: Path, tmp_path: Path, path: str, reason: str
) -> None:
    folder, base = http_root
    (folder / "net.mar").write_bytes(CONTENT)
    fetch.run(base + path, SHA256, tmp_path / "net.mar")
    assert word(termination_log)["reason"] == reason


def test_the_query_of_a_presigned_address_is_sent_and_never_told(
    termination_log: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(CONTENT)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/net.mar?X-Amz-Signature=a%2Fb%2Bc"
        for sha256, reason in ((SHA256, "Fetched"), ("0" * 64, "DigestMismatch")):
            fetch.run(uri, sha256, tmp_path / "net.mar")
            assert word(termination_log)["reason"] == reason
            assert "Signature" not in word(termination_log)["message"]
        server.shutdown()
    assert {parse_qs(urlsplit(one).query)["X-Amz-Signature"][0] for one in asked} == {"a/b+c"}


def test_the_command_line_does_the_same(stored: S3Server, termination_log: Path) -> None:
    dest = termination_log.with_name("net.mar")
    command = [sys.executable, "-m", "slipway_pods.serve.fetch"]
    arguments = ["--uri", URI, "--sha256", SHA256.upper(), "--dest", str(dest)]
    assert subprocess.run([*command, *arguments], check=False).returncode == 0
    assert dest.read_bytes() == CONTENT
