"""Files of a folder that somebody else writes to."""

import os
import socket
from pathlib import Path

import pytest

from slipway_pods import beneath
from slipway_pods.beneath import Folder, OutsideError, SpecialError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    return folder


def read(root: Path, path: str) -> str:
    with Folder(root) as folder:
        return folder.read(path, 100).decode()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("a", "deep/file"),
        ("a", "./deep/../deep/file"),
        ("deep/a", "../deep/file"),
        ("a", "{root}/deep/file"),
        ("deep/a", "{root}/deep/file"),
    ],
)
def test_a_link_is_followed_inside(root: Path, link: str, target: str) -> None:
    (root / link).symlink_to(target.format(root=root))
    assert read(root, link) == "inside"


def test_a_file_behind_linked_folders_is_found_as_in_a_mounted_config_map(root: Path) -> None:
    (root / "..data").symlink_to("deep")
    (root / "train.py").symlink_to("..data/file")
    assert read(root, "train.py") == "inside"


@pytest.mark.parametrize(
    "target", ["../secret", "/etc/passwd", "deep/../../secret", "/proc/self/environ"]
)
def test_a_link_that_leads_out_is_not_followed(root: Path, target: str) -> None:
    (root / "a").symlink_to(target)
    with pytest.raises(OutsideError):
        read(root, "a")


@pytest.mark.parametrize("path", ["../secret", "deep/../../secret", "/../secret"])
def test_a_path_that_leads_out_is_not_followed(root: Path, path: str) -> None:
    with pytest.raises(OutsideError):
        read(root, path)


def test_a_chain_of_links_that_only_together_leads_out_is_not_followed(root: Path) -> None:
    (root / "n").symlink_to(".")
    (root / "up").symlink_to("n/n/n/../secret")
    with pytest.raises(OutsideError):
        read(root, "up")


def test_links_that_never_end_are_an_error(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        read(root, "a")


def test_what_is_no_regular_file_is_not_opened_and_nobody_waits_for_it(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    for name in ("pipe", "deep"):
        with pytest.raises(SpecialError):
            read(root, name)
    with pytest.raises(OSError, match="socket"):
        read(root, "socket")


def test_all_that_is_there_is_told_in_order(root: Path) -> None:
    (root / "z").write_text("x")
    (root / "deep" / "out").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    with Folder(root) as folder:
        told = [(entry.path, entry.size, bool(entry.problem)) for entry in folder.walk()]
    assert told == [
        ("deep/file", 6, False),
        ("deep/out", 0, True),
        ("pipe", 0, True),
        ("z", 1, False),
    ]


def test_folders_that_never_end_are_told_as_lost(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(beneath.MAX_DEPTH + 50):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with Folder(tmp_path) as folder:
        (entry,) = folder.walk()
    assert entry.lost
    assert "within more than 128 folders" in entry.problem


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "a").symlink_to("../secret")
    (root / "b").symlink_to("deep/file")

    def use() -> None:
        with Folder(root) as folder:
            list(folder.walk())

    use()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        use()
    left = len(list(Path("/proc/self/fd").iterdir())) - before
    assert left < 25, "some may be those of another thread; half a one of each use is left open"
