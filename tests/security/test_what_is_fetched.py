"""Hostile git trees and store answers, before the programs that bring sources and inputs."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from dulwich.objects import Blob, Tree
from dulwich.repo import Repo
from s3fs import S3FileSystem

from slipway_pods.bring import download, git_source, git_submodules
from slipway_pods.bring.git_source import Repository, fetch
from slipway_pods.store import store
from tests.unit.runtime import cloud_servers
from tests.unit.runtime.cloud_servers import Azure, Google
from tests.unit.runtime.git_server import commit, git, serve


def planted(folder: Path, name: bytes) -> str:
    """Commit a tree with a name that git itself would not write; return the commit."""
    git(folder, "init", "--quiet")
    commit(folder, train="x")
    with Repo(str(folder)) as repo:
        blob = Blob.from_string(b"EVIL")
        tree = Tree()
        tree.add(name, 0o100644, blob.id)
        repo.object_store.add_object(blob)
        repo.object_store.add_object(tree)
    made = git(folder, "commit-tree", "-m", "evil", tree.id.decode())
    git(folder, "update-ref", "refs/heads/evil", made)
    return made


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"../victim", b"/tmp/slipway-evil"])
def test_a_git_tree_writes_nothing_outside_and_nothing_of_gits_own(
    tmp_path: Path, name: bytes
) -> None:
    origin, got, other = (tmp_path / one for one in ("origin", "got", "other"))
    for folder in (origin, got, other):
        folder.mkdir()
    (tmp_path / "victim").write_text("victim's")
    planted(origin, name)
    with serve(tmp_path) as base:
        with pytest.raises(store.StoreError, match="has a file that no folder may have"):
            fetch(Repository(f"{base}/origin"), "evil", got)
        fetch(Repository(f"{base}/origin"), "main", other)
    assert (other / "train.py").read_text() == "x"
    assert (tmp_path / "victim").read_text() == "victim's"
    assert not Path("/tmp/slipway-evil").exists()
    assert not [path for path in got.rglob("*") if path.name.lower() == ".git"]


def doubled(folder: Path, level: Path, commit_of_level: str) -> str:
    """Commit two submodules that are the same commit; each further level doubles them all."""
    git(folder, "init", "--quiet")
    names = ("left", "right")
    entry = '[submodule "{0}"]\npath = {0}\nurl = ../{1}\n'
    (folder / ".gitmodules").write_text("".join(entry.format(one, level.name) for one in names))
    for name in names:
        git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commit_of_level},{name}")
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "--quiet", "-m", "double")
    return git(folder, "rev-parse", "HEAD")


def test_submodules_that_double_at_each_level_are_brought_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_source, "MAX_SUBMODULES", 5)
    levels = [tmp_path / f"level-{number}" for number in range(4)]
    got = tmp_path / "got"
    for folder in (*levels, got, tmp_path / "few"):
        folder.mkdir()
    git(levels[0], "init", "--quiet")
    made = commit(levels[0], leaf="x")
    for below, level in pairwise(levels):
        made = doubled(level, below, made)
    with serve(tmp_path) as base:
        with pytest.raises(store.StoreError, match="more than 5 submodules"):
            fetch(Repository(f"{base}/level-3"), "main", got, depth=8)
        fetch(Repository(f"{base}/level-1"), "main", tmp_path / "few", depth=8)
    assert len([*got.rglob("leaf.py")]) <= 4
    assert len([*(tmp_path / "few").rglob("leaf.py")]) == 2


LISTED = """<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{}
</ListBucketResult>"""
KEYS = (
    "set/ok",
    "set/../../victim",
    "set//tmp/slipway-evil",
    "set/a/../../../victim",
    "set/%2e%2e/x",
)


@contextmanager
def lying_store() -> Iterator[str]:
    """A store that lists keys which lead out, and serves each of them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listing = "list-type=2" in self.path
            entry = "<Contents><Key>{}</Key><Size>4</Size><ETag>x</ETag></Contents>"
            text = LISTED.format("".join(map(entry.format, KEYS))) if listing else "EVIL"
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(text.encode())

        do_HEAD = do_GET  # noqa: N815 - as the base class calls it

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_store_that_lists_other_places_fills_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "victim").write_text("victim's")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    S3FileSystem.clear_instance_cache()
    with lying_store() as endpoint:
        for name, value in (
            ("ACCESS_KEY_ID", "k"),
            ("SECRET_ACCESS_KEY", "s"),
            ("ENDPOINT_URL", endpoint),
        ):
            monkeypatch.setenv(f"AWS_{name}", value)
        download.bring("s3://bucket/set/", tmp_path / "in" / "deep", "input")
    assert [path.name for path in (tmp_path / "in").rglob("*") if path.is_file()] == ["ok"]
    assert (tmp_path / "victim").read_text() == "victim's"
    assert not Path("/tmp/slipway-evil").exists()


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c id", "file:///etc", "/etc", "-oProxyCommand=sh", "git@:x"],
)
def test_a_submodule_is_brought_from_a_server_alone(url: str) -> None:
    link = git_submodules.Link("lib", url, "0" * 40)
    with pytest.raises(store.StoreError, match="names no server"):
        git_submodules.location("https://git.example/team/net", link)
    own = git_submodules.Link("lib", "../lib", "0" * 40)
    assert git_submodules.location("https://git.example/team/net", own).endswith("/team/lib")


class EndlessGoogle(Google):
    """Tells ten bytes of a file, and sends it without end."""

    def send_file(self, data: bytes, /, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")


class EndlessAzure(Azure):
    """Tells ten bytes of a file, and then a terabyte of the same."""

    def send_file(self, data: bytes, /, **headers: str) -> None:
        if self.command == "HEAD":
            super().send_file(data, **headers)
            return
        told = f"bytes 0-{(1 << 20) - 1}/{1 << 40}"
        self.send(bytes(1 << 20), 206, Content_Range=told, **headers)


@pytest.mark.parametrize("scheme", ["az", "gs"])
def test_a_cloud_that_sends_more_than_it_told_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    account = "DefaultEndpointsProtocol=http;AccountName=team;AccountKey=a2V5;BlobEndpoint={}/team;"
    handler = EndlessAzure if scheme == "az" else EndlessGoogle
    with cloud_servers.serve(handler) as url:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account.format(url))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        with pytest.raises(store.TooLargeError, match="more than the 10 bytes"):
            download.bring(f"{scheme}://data/rows.csv", tmp_path, "input data")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 << 20
