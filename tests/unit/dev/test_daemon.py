"""Processes that outlive their command, and are ended by pid and never by mistake."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import daemon
from dev.cluster.daemon import Daemon, Process
from dev.errors import DevError
from dev.shell import wait_until

SLEEP = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    daemon.end(daemon.all_recorded(tmp_path).values(), grace=0)


def sleeper(state: Path, code: str = SLEEP) -> Daemon:
    return Daemon("sleeper", (sys.executable, "-c", code, f"--config={state}/x"), state)


def test_a_second_start_leaves_the_first_process_alone(state: Path) -> None:
    one = sleeper(state)
    assert one.start()
    first = one.process
    assert first
    assert not one.start()
    assert one.process == first


def test_other_arguments_replace_the_process(state: Path) -> None:
    sleeper(state).start()
    first = sleeper(state).process
    other = sleeper(state, SLEEP + " # changed")
    assert other.start()
    assert first
    assert not first.alive
    assert other.current


def test_a_process_that_ignores_the_request_to_end_is_killed(state: Path) -> None:
    one = sleeper(state, STUBBORN)
    one.start()
    process = one.process
    assert process
    daemon.end([process], grace=0.3)
    assert not process.alive


def test_the_record_of_a_process_that_is_gone_names_nothing(state: Path) -> None:
    one = sleeper(state)
    one.start()
    assert one.process
    os.kill(one.process.pid, signal.SIGKILL)
    daemon.end(daemon.all_recorded(state).values(), grace=0)
    assert one.process is None
    assert daemon.all_recorded(state) == {}


def test_the_pid_of_somebody_elses_process_is_never_taken_for_ours(state: Path) -> None:
    here = Process.of(os.getpid())
    assert here
    (state / "run").mkdir()
    stat = Path("/proc/self/stat").read_text()
    (state / "run" / "etcd.stat").write_text(stat)
    assert daemon.all_recorded(state) == {}, "this test's command line does not name the folder"


def test_a_successor_with_the_same_pid_is_another_process() -> None:
    here = Process.of(os.getpid())
    assert here
    assert here.alive
    assert not Process(here.pid, "1").alive


def test_a_process_that_ended_is_told_with_the_end_of_its_log(state: Path) -> None:
    one = Daemon("failing", (sys.executable, "-c", f"raise SystemExit('why: {state}/x')"), state)
    one.start()
    wait_until(lambda: one.process is None, 120, "Its end")
    with pytest.raises(DevError, match=r"(?s)failing has ended.*why"):
        one.check()


def test_processes_that_work_in_a_folder_are_found_without_a_record(state: Path) -> None:
    one = sleeper(state)
    one.start()
    process = one.process
    (state / "run" / "sleeper.stat").unlink()
    assert daemon.mentioning(state) == [process]
    daemon.end(daemon.mentioning(state), grace=0)


def test_a_process_that_is_just_becoming_its_program_is_not_taken_for_gone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sleeper(state)
    one.start()
    read, empty = Process.command, iter([True, True])
    monkeypatch.setattr(Process, "command", lambda self: [] if next(empty, False) else read(self))
    assert one.process
