"""A pod that must stop: time to save for a script that saves, SIGTERM at once for any other."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_runtime.checkpoint.files import SAVED, SAVES, SAVING, STOPPING
from slipway_runtime.launcher import grace

LIVE = "import time\nwhile True: time.sleep(0.1)"


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", LIVE]) as process:
        yield process
        process.kill()


def stop(child: "subprocess.Popen[bytes]", folder: Path, seconds: float) -> None:
    env = {"SLIPWAY_RUN_DIR": str(folder), "SLIPWAY_GRACE_SECONDS": str(seconds)}
    grace.stop(child, env)


def test_a_script_that_saves_nothing_is_stopped_at_once(
    child: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    stop(child, tmp_path, 3600)
    assert child.wait(timeout=120) == -signal.SIGTERM


def test_a_script_that_saves_hears_of_the_end_and_is_stopped_when_it_has_saved(
    child: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grace, "HEARING_SECONDS", 3600.0)
    (tmp_path / SAVES).touch()
    stop(child, tmp_path, 3600)
    assert (tmp_path / STOPPING).exists()
    assert child.poll() is None
    (tmp_path / SAVED).touch()
    assert child.wait(timeout=120) == -signal.SIGTERM


def test_a_script_that_does_not_save_in_time_is_stopped_before_the_grace_period_ends(
    child: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    (tmp_path / SAVES).touch()
    (tmp_path / SAVING).touch()
    stop(child, tmp_path, grace.RESERVE_SECONDS + 0.2)
    assert child.wait(timeout=120) == -signal.SIGTERM


def test_a_script_that_waits_for_a_peer_that_is_gone_is_not_waited_for_long(
    child: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grace, "HEARING_SECONDS", 0.1)
    (tmp_path / SAVES).write_text("0.05")
    stop(child, tmp_path, 3600)
    assert child.wait(timeout=120) == -signal.SIGTERM


def test_a_script_that_ends_by_itself_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grace, "HEARING_SECONDS", 3600.0)
    (tmp_path / SAVES).touch()
    until = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / STOPPING)!r}).exists():"
    with subprocess.Popen([sys.executable, "-c", f"{until} time.sleep(0.05)"]) as child:
        stop(child, tmp_path, 3600)
        assert child.wait(timeout=120) == 0
