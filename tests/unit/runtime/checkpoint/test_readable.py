"""What a script has written, for the sidecar that is another user of the same group."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from slipway_runtime import readable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o640), (0o666, 0o666), (0o000, 0o040)])
def test_a_file_gets_what_its_group_needs_and_no_more(
    output: Path, before: int, after: int
) -> None:
    (output / "file").touch()
    (output / "file").chmod(before)
    readable.share(output)
    assert mode(output / "file") == after


def test_files_in_closed_folders_are_shared_too(output: Path) -> None:
    inner = output / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").touch(mode=0o600)
    for folder in (inner, inner.parent):
        folder.chmod(0o700)
    readable.share(output)
    assert [mode(inner.parent), mode(inner), mode(inner / "file")] == [0o750, 0o750, 0o640]


def test_a_folder_that_was_closed_itself_is_shared_too(output: Path, tmp_path: Path) -> None:
    shutil.copytree(tempfile.mkdtemp(dir=tmp_path), output, dirs_exist_ok=True)
    assert mode(output) == 0o700
    readable.share(output)
    assert mode(output) == 0o750


def test_what_a_link_leads_to_stays_as_it_is(output: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "file").touch(mode=0o600)
    (output / "to-folder").symlink_to(outside)
    (output / "to-file").symlink_to(outside / "file")
    readable.share(output)
    assert [mode(outside), mode(outside / "file")] == [0o700, 0o600]


def test_pipes_and_missing_folders_hold_nothing_up(output: Path) -> None:
    os.mkfifo(output / "pipe", 0o600)
    readable.share(output)
    assert mode(output / "pipe") == 0o600
    readable.share(output / "absent")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other groups")
def test_a_file_of_another_group_comes_to_the_folders(output: Path) -> None:
    os.chown(output, -1, 10001)
    (output / "file").touch(mode=0o600)
    os.chown(output / "file", -1, 4321)
    readable.share(output)
    assert (output / "file").stat().st_gid == 10001


def test_folders_without_end_are_left_at_some_depth(output: Path) -> None:
    folder = output
    for _ in range(readable.MAX_DEPTH + 5):
        folder = folder / "d"
        folder.mkdir(mode=0o700)
    readable.share(output)
    assert mode(output / "d") == 0o750
    assert mode(folder) == 0o700
