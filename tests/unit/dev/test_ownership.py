"""One local cluster a machine: another clone's is neither joined nor taken down."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import daemon, layout, ownership
from dev.cluster.daemon import Daemon
from dev.errors import DevError


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(layout, "STATE", tmp_path / "here" / ".cluster")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Another clone's state folder, with a process that runs."""
    state = tmp_path / "elsewhere" / ".cluster"
    code = "import signal; signal.pause()"
    Daemon("etcd", (sys.executable, "-c", code, f"--data-dir={state}/etcd"), state).start()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cluster-owner").write_text(str(state))
    yield state
    daemon.end(daemon.all_recorded(state).values(), grace=0)


def test_beside_another_clones_cluster_nothing_starts(elsewhere: Path) -> None:
    with (
        pytest.raises(DevError, match=f"The cluster of {elsewhere.parent} runs"),
        ownership.alone(),
    ):
        pass
    assert not ownership.owned()


def test_a_cluster_that_ended_elsewhere_stands_in_nobodys_way(elsewhere: Path) -> None:
    daemon.end(daemon.all_recorded(elsewhere).values(), grace=0)
    with ownership.alone():
        ownership.claim()
    assert ownership.owned()


def test_what_was_given_up_is_not_owned() -> None:
    with ownership.alone():
        ownership.claim()
        ownership.give_up()
    assert not ownership.owned()


def test_a_cluster_whose_processes_are_gone_is_abandoned(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache" / "cluster-owner").write_text(str(tmp_path / "gone" / ".cluster"))
    assert ownership.abandoned() == tmp_path / "gone" / ".cluster"


def test_this_clones_own_cluster_is_never_abandoned() -> None:
    assert ownership.abandoned() is None
    with ownership.alone():
        ownership.claim()
    assert ownership.abandoned() is None
