"""Checkpoints in a PersistentVolumeClaim: a folder here."""

import errno
import os
import shutil
from pathlib import Path
from typing import IO, Any

import pytest

from slipway_pods import beneath
from slipway_pods.agent.checkpoint_store import Archive
from slipway_pods.store import claims, store
from tests.unit.runtime.saves import OWNER, save

URI = "pvc://shared/teams/net"


@pytest.fixture
def claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mounted claim ``shared``."""
    folder = tmp_path / "claims" / "shared"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SLIPWAY_CLAIMS_DIR", str(folder.parent))
    return folder


def archive(**options: Any) -> Archive:
    return Archive(URI, OWNER, **{"keep": 1, "own_only": False, "patience": 0.0, **options})


def put(folder: Path, step: int, nodes: int = 1) -> str:
    for node in reversed(range(nodes)):
        said = save(folder / str(node), step, node=node, nodes=nodes)
        archive().put(folder / str(node) / said.name, said)
    assert archive().commit(said, lambda: True) is not None
    return said.name


def test_a_checkpoint_of_two_nodes_comes_back_as_it_was_stored(claim: Path, tmp_path: Path) -> None:
    name = put(tmp_path, 10, nodes=2)
    assert (claim / "teams" / "net" / name / "_manifest.json").exists()
    found = archive().newest() or {}
    archive().fetch(found, None, tmp_path / "restored")
    assert (tmp_path / "restored" / "__1_0.distcp").read_text() == "shard 1 of 10"
    assert not list(claim.rglob(".part-*"))


def test_nothing_is_resumed_from_before_its_mark_is_there(claim: Path, tmp_path: Path) -> None:
    assert archive().newest() is None
    said = save(tmp_path, 10)
    archive().put(tmp_path / said.name, said)
    assert archive().newest() is None


def test_the_newest_are_kept_and_no_folder_of_the_rest_is_left(claim: Path, tmp_path: Path) -> None:
    for step in (10, 20):
        newest = put(tmp_path / str(step), step)
        archive().prune(newest)
    assert [one.name for one in (claim / "teams" / "net").iterdir()] == [newest]


def test_an_emptied_claim_itself_stays(claim: Path) -> None:
    store.put_bytes(b"x", "pvc://shared/file")
    store.delete("pvc://shared/file")
    store.delete("pvc://shared/file")
    assert claim.is_dir()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the sidecar's own, with a secret in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("secret")
    return folder


def test_a_link_that_leads_out_of_a_claim_gives_nothing(claim: Path, outside: Path) -> None:
    (claim / "file").symlink_to(outside / "file")
    (claim / "folder").symlink_to(outside)
    for uri in ("pvc://shared/file", "pvc://shared/folder/file"):
        with pytest.raises(store.StoreError, match="it leads out of the folder"):
            store.get_bytes(uri, 10)
    assert store.sizes("pvc://shared") == {}
    assert store.folders("pvc://shared") == []


def test_nothing_is_written_or_deleted_through_a_link(claim: Path, outside: Path) -> None:
    (claim / "folder").symlink_to(outside)
    (claim / ".part-a").symlink_to(outside / "file")
    (claim / "a").symlink_to(outside / "file")
    store.put_bytes(b"new", "pvc://shared/a")
    assert store.get_bytes("pvc://shared/a", 10) == b"new"
    with pytest.raises(store.StoreError, match="it leads out of the folder"):
        store.put_bytes(b"new", "pvc://shared/folder/b")
    with pytest.raises(store.StoreError, match="it leads out of the folder"):
        store.delete("pvc://shared/folder/file")
    assert [(one.name, one.read_text()) for one in outside.iterdir()] == [("file", "secret")]


def test_a_link_inside_a_claim_is_followed(claim: Path) -> None:
    store.put_bytes(b"x", "pvc://shared/big-disk/net/file")
    (claim / "net").symlink_to("big-disk/net")
    assert store.get_bytes("pvc://shared/net/file", 10) == b"x"
    assert store.sizes("pvc://shared/net") == {"file": 1}


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(claim: Path) -> None:
    deep = claim.joinpath(*["d"] * (beneath.MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    with pytest.raises(store.AccessDeniedError):
        store.sizes("pvc://shared")


def test_one_file_has_a_size_and_a_missing_one_has_none(claim: Path) -> None:
    store.put_bytes(b"abc", "pvc://shared/net/file")
    assert store.sizes("pvc://shared/net/file") != {}
    assert store.sizes("pvc://shared/net/absent") == {}
    assert store.folders("pvc://shared/absent") == []


def test_a_file_larger_than_it_may_be_is_refused(claim: Path) -> None:
    store.put_bytes(b"abc", "pvc://shared/file")
    with pytest.raises(store.TooLargeError):
        store.get_bytes("pvc://shared/file", 2)


def test_a_write_that_breaks_off_leaves_what_was_there(
    claim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_bytes(b"old", f"{URI}/file")
    (tmp_path / "new").write_text("new")

    def break_off(source: IO[bytes], target: IO[bytes], length: int) -> None:
        target.write(b"n")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", break_off)
    with (
        (tmp_path / "new").open("rb") as new,
        pytest.raises(store.StoreFullError, match="is full: make room"),
    ):
        store.put_file(new, f"{URI}/file")
    assert [one.name for one in claim.rglob("*") if one.is_file()] == ["file"]
    assert store.get_bytes(f"{URI}/file", 10) == b"old"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ESTALE, store.StoreUnavailableError),
        (errno.EIO, store.StoreUnavailableError),
        (errno.EACCES, store.AccessDeniedError),
        (errno.EROFS, store.StoreError),
    ],
)
def test_what_a_volume_says_is_told_as_a_stores_word(
    claim: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(claims, "_write_whole", fail)
    with pytest.raises(kind):
        store.put_bytes(b"x", f"{URI}/file")
