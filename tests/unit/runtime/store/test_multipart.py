"""Large files on a real S3 server: what a broken upload has stored is not sent again."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from slipway_pods.agent import upload
from slipway_pods.agent.checkpoint_store import Archive
from slipway_pods.store import multipart, store
from slipway_pods.store.store_errors import UntoldError
from slipway_runtime.checkpoint.files import Announcement
from tests.harness.s3 import S3Server
from tests.unit.runtime.breaking_line import BreakingLine, breaking_line
from tests.unit.runtime.saves import OWNER, save

PART = 5 * store.MIB
"""The smallest part that S3 takes, but for the last one, in bytes."""
PARTS = 6
SLACK = store.MIB
"""More than all headers and small requests of a test take, in bytes."""
PREFIX = "checkpoints/ns/net/uid"
URI = f"s3://slipway/{PREFIX}"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CHUNK", PART)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(PARTS * PART + 7))
    return path


@pytest.fixture
def line(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakingLine]:
    """A line to the store that breaks when three and a half parts have passed."""
    with breaking_line(s3.port, 3.5 * PART) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        monkeypatch.setattr(S3FileSystem, "retries", 1)
        S3FileSystem.clear_instance_cache()
        yield line


def put_file(path: Path, uri: str) -> None:
    with path.open("rb") as file:
        store.put_file(file, uri)


def archive(**options: Any) -> Archive:
    return Archive(URI, OWNER, **{"keep": 1, "own_only": False, "patience": 0.1, **options})


def large_save(folder: Path, large: Path, step: int, **options: Any) -> Announcement:
    said = save(folder, step, **options)
    large.rename(folder / said.name / "__0_1.distcp")
    return said


def test_an_upload_goes_on_where_a_long_outage_broke_it_off(
    s3: S3Server, line: BreakingLine, large: Path, tmp_path: Path
) -> None:
    said = large_save(tmp_path, large, 10)
    with pytest.raises(store.StoreUnavailableError):
        archive().put(tmp_path / said.name, said)
    assert archive_names(s3) == set()
    line.mend()
    S3FileSystem.clear_instance_cache()  # as in a keeper that was started anew
    keeper = archive()
    keeper.put(tmp_path / said.name, said)
    assert line.sent < (PARTS - 2) * PART + SLACK
    assert keeper.commit(said, lambda: True) is not None
    content = (tmp_path / said.name / "__0_1.distcp").read_bytes()
    assert s3.read(f"{PREFIX}/{said.name}/node-0/__0_1.distcp") == content
    assert store.unfinished_uploads(URI) == []


def archive_names(s3: S3Server) -> set[str]:
    return {key for key in s3.keys(PREFIX) if key.endswith("__0_1.distcp")}


def test_the_output_goes_on_too(s3: S3Server, line: BreakingLine, large: Path) -> None:
    folder = large.parent / "output"
    folder.mkdir()
    large.rename(folder / "model.pt")
    with pytest.raises(store.StoreUnavailableError):
        put_file(folder / "model.pt", f"{URI}/model.pt")
    line.mend()
    upload.upload(folder, URI)
    assert line.sent < (PARTS - 2) * PART + SLACK
    assert s3.read(f"{PREFIX}/model.pt") == (folder / "model.pt").read_bytes()


def begin(path: Path, key: str) -> None:
    """Store the first part of a file, as one that breaks off there."""
    files = store._filesystem(URI)
    to = multipart.Key(files, "slipway", key)
    identity = to.call("create_multipart_upload")["UploadId"]
    first = path.read_bytes()[:PART]
    to.call("upload_part", UploadId=identity, PartNumber=1, Body=first)


def test_parts_of_other_content_are_not_taken_for_this_files(s3: S3Server, large: Path) -> None:
    other = large.parent / "other"
    other.write_bytes(os.urandom(2 * PART))
    begin(other, f"{PREFIX}/model.pt")
    put_file(large, f"{URI}/model.pt")
    assert s3.read(f"{PREFIX}/model.pt") == large.read_bytes()


def test_a_file_whose_last_answer_was_lost_is_not_sent_again(
    s3: S3Server, line: BreakingLine, large: Path
) -> None:
    line.mend()
    put_file(large, f"{URI}/model.pt")
    line.mend()
    put_file(large, f"{URI}/model.pt")
    assert line.sent < SLACK
    large.write_bytes(os.urandom(large.stat().st_size))
    put_file(large, f"{URI}/model.pt")
    assert s3.read(f"{PREFIX}/model.pt") == large.read_bytes()


def test_parts_go_with_the_checkpoint_that_they_are_of(
    s3: S3Server, large: Path, tmp_path: Path
) -> None:
    half, later = f"step-{20:012}-{OWNER}-00000001", f"step-{90:012}-{OWNER}-00000001"
    foreign = f"step-{20:012}-99999999-00000001"
    for name in (half, later, foreign):
        begin(large, f"{PREFIX}/{name}/node-1/__1_0.distcp")
    said = save(tmp_path / "new", 30)
    archive().put(tmp_path / "new" / said.name, said)
    assert archive().commit(said, lambda: True) is not None
    archive().prune(said.name)
    left = {path.partition("/")[0] for path in store.unfinished_uploads(URI)}
    assert left == {later, foreign}


def test_an_output_that_is_given_up_leaves_no_parts(
    s3: S3Server, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(large, f"{PREFIX}/large")

    def refuse(folder: Path, uri: str) -> None:
        raise store.StoreFullError("full")

    monkeypatch.setattr(upload, "upload", refuse)
    assert upload.main([str(large.parent), URI]) == 1
    assert store.unfinished_uploads(URI) == []


def test_parts_that_may_not_be_taken_away_keep_no_checkpoint_from_going(
    s3: S3Server, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = f"step-{20:012}-{OWNER}-00000001"
    begin(large, f"{PREFIX}/{old}/node-1/__1_0.distcp")

    def refuse(upload: multipart.Upload) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(multipart, "abort", refuse)
    said = save(tmp_path / "new", 30)
    archive().put(tmp_path / "new" / said.name, said)
    assert archive().commit(said, lambda: True) is not None
    archive().prune(said.name)
    assert len(store.unfinished_uploads(URI)) == 1


def test_parts_that_somebody_took_away_meanwhile_are_another_try(
    s3: S3Server, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = "c0a0e9c6-fc78-42af-8c1c-f90dbb383271"
    monkeypatch.setattr(multipart, "_begun", lambda to: multipart.Upload(to, gone))
    with pytest.raises(store.StoreUnavailableError, match="are gone"):
        put_file(large, f"{URI}/model.pt")


def test_where_unfinished_uploads_cannot_be_listed_none_is_left_behind(
    s3: S3Server, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untold(*_: Any) -> Any:
        raise UntoldError

    with monkeypatch.context() as patch:
        patch.setattr(multipart, "unfinished", untold)
        patch.setattr(multipart, "_complete", lambda *_: 1 / 0)
        with pytest.raises(store.StoreError):
            put_file(large, f"{URI}/model.pt")
        assert store.unfinished_uploads(URI) == []
    assert store.unfinished_uploads(URI) == []
