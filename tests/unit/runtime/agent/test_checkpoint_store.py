"""What lies in the store: valid only when whole, never half-deleted, no more than is to be kept."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from dev import gotools
from slipway_pods import room
from slipway_pods.agent import checkpoint_store
from slipway_pods.agent.checkpoint_store import Archive, LostError
from slipway_pods.store import store
from tests.harness.ports import free_port
from tests.harness.s3 import S3Server, takes_connections
from tests.harness.waiting import wait_for
from tests.unit.runtime.saves import OWNER, save

PREFIX = "checkpoints/ns/net/uid"
URI = f"s3://slipway/{PREFIX}"


def archive(**options: Any) -> Archive:
    own = {"keep": 2, "own_only": False, "patience": 30.0, **options}
    return Archive(URI, own.pop("owner", OWNER), **own)


def put(folder: Path, step: int, *, into: Archive | None = None, **options: Any) -> str:
    """Store one whole checkpoint of a single node."""
    into = into or archive()
    said = save(folder, step, **options)
    into.put(folder / said.name, said)
    assert into.commit(said, lambda: True) is not None
    return said.name


def steps(s3: S3Server) -> set[int]:
    return {int(key.split("-")[1]) for key in s3.keys(PREFIX) if key.endswith("_manifest.json")}


def test_a_checkpoint_comes_back_as_it_was_stored(s3: S3Server, tmp_path: Path) -> None:
    name = put(tmp_path, 10)
    found = archive().newest() or {}
    assert (found["name"], found["step"], found["kind"]) == (name, 10, "dcp")
    assert found["state"] == {"stop": {"elapsed": 1.0}}
    target = tmp_path / "restored"
    archive().fetch(found, None, target)
    assert (target / "__0_0.distcp").read_text() == "shard 0 of 10"
    assert (target / ".metadata").read_text() == "metadata of 10"
    assert {path.name for path in target.iterdir()} == {"__0_0.distcp", ".metadata"}


def test_only_the_files_that_are_asked_for_are_fetched(s3: S3Server, tmp_path: Path) -> None:
    put(tmp_path, 10)
    found = archive().newest() or {}
    archive().fetch(found, [".metadata"], tmp_path / "restored")
    assert [path.name for path in (tmp_path / "restored").iterdir()] == [".metadata"]
    with pytest.raises(LostError, match="has no file x"):
        archive().fetch(found, ["x"], tmp_path / "restored")


def test_a_checkpoint_that_there_is_no_room_for_is_not_fetched(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 10)
    found = archive().newest() or {}
    size = sum(entry["sizeBytes"] for entry in found["files"])
    monkeypatch.setattr(room, "free", lambda _: size - 1)
    with pytest.raises(OSError, match="no space"):
        archive().fetch(found, None, tmp_path / "restored")
    assert list((tmp_path / "restored").iterdir()) == []
    monkeypatch.setattr(room, "free", lambda _: size)
    archive().fetch(found, None, tmp_path / "restored")
    monkeypatch.setattr(room, "free", lambda _: 0)
    archive().fetch(found, None, tmp_path / "restored")


def test_nothing_is_resumed_from_before_all_nodes_have_stored_their_part(
    s3: S3Server, tmp_path: Path
) -> None:
    put(tmp_path / "old", 10)
    first = save(tmp_path / "a", 20, node=0, nodes=2)
    archive().put(tmp_path / "a" / first.name, first)
    assert archive().commit(first, lambda: False) is None
    assert (archive().newest() or {})["step"] == 10
    second = save(tmp_path / "b", 20, node=1, nodes=2)
    archive().put(tmp_path / "b" / second.name, second)
    whole = archive().commit(first, lambda: False) or {}
    assert {entry["path"] for entry in whole["files"]} == {
        "node-0/.metadata",
        "node-0/__0_0.distcp",
        "node-1/__1_0.distcp",
    }
    assert (archive().newest() or {})["step"] == 20


def test_two_tries_of_one_step_never_mix(s3: S3Server, tmp_path: Path) -> None:
    lost = save(tmp_path / "a", 20, node=1, nodes=2, token="00000001")
    archive().put(tmp_path / "a" / lost.name, lost)
    first = save(tmp_path / "b", 20, node=0, nodes=2, token="00000002")
    archive().put(tmp_path / "b" / first.name, first)
    assert archive().commit(first, lambda: False) is None


def test_the_newest_are_kept_and_the_rest_is_deleted(s3: S3Server, tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        newest = put(tmp_path, step)
        archive().prune(newest)
    assert steps(s3) == {30, 40}


def test_what_was_never_completed_goes_with_the_next_that_is(s3: S3Server, tmp_path: Path) -> None:
    half = save(tmp_path / "half", 20, node=0, nodes=2)
    archive().put(tmp_path / "half" / half.name, half)
    newest = put(tmp_path, 30)
    archive().prune(newest)
    assert not [key for key in s3.keys(PREFIX) if half.name in key]


def test_a_later_attempt_at_an_earlier_step_does_not_delete_what_is_further(
    s3: S3Server, tmp_path: Path
) -> None:
    put(tmp_path, 40)
    newest = put(tmp_path, 30, token="00000002")
    archive(keep=1).prune(newest)
    assert steps(s3) == {30, 40}


def test_the_newest_is_kept_even_beside_another_of_its_step(s3: S3Server, tmp_path: Path) -> None:
    put(tmp_path, 30, token="ffffffff")
    newest = put(tmp_path, 30, token="00000001")
    archive(keep=1).prune(newest)
    assert {key.split("/")[0] for key in s3.keys(PREFIX)} == {newest}


def test_another_jobs_checkpoints_are_resumed_from_but_never_deleted(
    s3: S3Server, tmp_path: Path
) -> None:
    put(tmp_path, 10, owner="99999999")
    assert (archive().newest() or {})["step"] == 10
    assert archive(own_only=True).newest() is None
    archive(keep=1).prune(put(tmp_path, 20))
    assert steps(s3) == {10, 20}


def test_a_checkpoint_that_lost_a_file_is_passed_over(s3: S3Server, tmp_path: Path) -> None:
    put(tmp_path, 10)
    name = put(tmp_path, 20)
    store.delete(f"{URI}/{name}/node-0/__0_0.distcp")
    assert (archive().newest() or {})["step"] == 10


def test_a_file_with_other_content_is_refused(s3: S3Server, tmp_path: Path) -> None:
    name = put(tmp_path, 10)
    store.put_bytes(b"SHARD 0 of 10", f"{URI}/{name}/node-0/__0_0.distcp")
    with pytest.raises(LostError, match="its SHA-256 differs"):
        archive().fetch(archive().newest() or {}, None, tmp_path / "restored")
    assert not (tmp_path / "restored" / "__0_0.distcp").exists()


def test_a_deletion_that_breaks_off_leaves_no_valid_half(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 10)
    newest = put(tmp_path, 20)
    delete, deleted = store.delete, list[str]()

    def break_off(uri: str) -> None:
        if deleted:
            raise store.StoreUnavailableError("away")
        deleted.append(uri)
        delete(uri)

    monkeypatch.setattr(store, "delete", break_off)
    with pytest.raises(store.StoreUnavailableError):
        archive(keep=1).prune(newest)
    assert steps(s3) == {20}


def test_of_namesakes_on_several_nodes_the_first_nodes_file_is_restored(
    s3: S3Server, tmp_path: Path
) -> None:
    for node in (1, 0):
        said = save(tmp_path / str(node), 10, node=node, nodes=2, same=f"from {node}")
        archive().put(tmp_path / str(node) / said.name, said)
    assert archive().commit(said, lambda: False)
    archive().fetch(archive().newest() or {}, None, tmp_path / "restored")
    assert (tmp_path / "restored" / "same.distcp").read_text() == "from 0"


def test_an_empty_store_has_no_checkpoint(s3: S3Server) -> None:
    assert archive().newest() is None


def test_a_store_that_stays_away_is_given_up(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 10)
    said = save(tmp_path, 20)
    s3.stop()
    with pytest.raises(store.StoreUnavailableError, match="cannot be reached"):
        archive(patience=0.1).put(tmp_path / said.name, said)
    s3.start()
    assert (archive().newest() or {})["step"] == 10


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store on a disk of 2 MiB, mounted for its process alone."""
    gotools.ensure(["slipway-store"])
    disk, port = tmp_path / "disk", free_port()
    disk.mkdir()
    serve = (
        f"mount -t tmpfs -o size=2m none {disk} && "
        f"SLIPWAY_STORE_FOLDER={disk} SLIPWAY_STORE_STATUS_PORT=127.0.0.1:{free_port()} "
        f"SLIPWAY_STORE_RESERVED_BYTES=1 VGW_PORT=127.0.0.1:{port} "
        f"exec {gotools.path('slipway-store')}"
    )
    keys = {"ROOT_ACCESS_KEY_ID": "key", "ROOT_SECRET_ACCESS_KEY": "secret"}
    command = ["unshare", "--mount", "sh", "-c", serve]
    with subprocess.Popen(command, env={"PATH": "/usr/bin:/bin", **keys}) as server:
        wait_for(lambda: takes_connections(port), 120, "the S3 server takes connections")
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield
        server.kill()


def test_a_full_store_is_called_full_and_keeps_what_was_there(
    small_disk: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_store, "REFUSED_SECONDS", 0.0)
    put(tmp_path, 10)
    said = save(tmp_path, 20, large="x" * 3_000_000)
    with pytest.raises(store.StoreFullError, match="is full: make room"):
        archive().put(tmp_path / said.name, said)
    assert (archive().newest() or {})["step"] == 10
