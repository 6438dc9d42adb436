import errno
import os
from pathlib import Path

import pytest

from slipway_runtime.launcher import log_trimmer
from slipway_runtime.launcher.log_trimmer import LogTrimmer, trim
from tests.harness.waiting import wait_for

MIB = 1024 * 1024


def blocks(path: Path) -> int:
    """Return how many bytes of the disk a file takes."""
    return path.stat().st_blocks * 512


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt_0" / "0"
    folder.mkdir(parents=True)
    path = folder / "stdout.log"
    path.write_bytes(os.urandom(8 * MIB) + b"the end\n")
    return path


def test_a_long_log_gives_its_beginning_back_and_keeps_its_end(log: Path, tmp_path: Path) -> None:
    size, end = log.stat().st_size, log.read_bytes()[-MIB:]
    trim(tmp_path, MIB)
    assert blocks(log) < 2 * MIB
    assert log.stat().st_size == size
    assert log.read_bytes()[-MIB:] == end


def test_who_writes_to_it_goes_on_where_it_was(log: Path, tmp_path: Path) -> None:
    with log.open("r+b") as writer:
        writer.seek(0, os.SEEK_END)
        trim(tmp_path, MIB)
        writer.write(b"more\n")
    assert log.read_bytes().endswith(b"the end\nmore\n")


def test_a_short_log_is_left_alone(log: Path, tmp_path: Path) -> None:
    before = blocks(log)
    trim(tmp_path, 8 * MIB)
    assert blocks(log) == before


def test_it_works_beside_the_training(log: Path, tmp_path: Path) -> None:
    with LogTrimmer(tmp_path, kept=MIB, pause=0.01):
        wait_for(lambda: blocks(log) < 2 * MIB, 120, "the log is trimmed")


def test_a_file_system_that_cannot_do_it_is_no_reason_to_fail(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(log_trimmer, "punch", refuse)
    trim(tmp_path, MIB)
    assert log.read_bytes().endswith(b"the end\n")
