"""Why a worker ended: what the page `/deaths` says of it."""

import signal
from pathlib import Path

import pytest

from slipway_server.deaths import Deaths


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("memory.events", "low 0\noom 1\noom_kill 1\n", "low 0\noom 2\noom_kill 2\n"),
        (
            "memory/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        ),
    ],
)
def test_a_worker_killed_for_want_of_memory_is_told_as_such(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    events = tmp_path / name
    events.parent.mkdir(exist_ok=True)
    events.write_text(before)
    deaths = Deaths(tmp_path)
    deaths.note(signal.SIGKILL, "", is_late=False)
    assert deaths.cause == "SIGKILL"
    events.write_text(after)
    deaths.note(signal.SIGKILL, "the last line", is_late=False)
    assert (deaths.cause, deaths.log) == ("OOMKilled", "the last line")


def test_without_control_groups_a_signal_is_told_by_its_name(tmp_path: Path) -> None:
    deaths = Deaths(tmp_path)
    deaths.note(signal.SIGSEGV, "", is_late=False)
    assert deaths.told()["cause"] == "SIGSEGV"
