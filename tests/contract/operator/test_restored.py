"""A cluster that is restored from a backup of etcd: nobody goes on with what came after it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster import daemon
from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("its etcd is stopped and restored"),
]


def restart(control_plane: TestControlPlane, meanwhile: Callable[[Path], object]) -> None:
    """Stop etcd and kube-apiserver, do something with etcd's data, and start both."""
    plane = control_plane.plane
    for one in reversed(plane.daemons()):
        assert one.process
        daemon.end([one.process], grace=30)
    meanwhile(plane.state / "etcd")
    plane.start(180)


def test_a_replica_that_stands_by_begins_anew_once_the_cluster_is_restored_from_a_backup(
    control_plane: TestControlPlane,
    start_operator: Callable[..., OperatorProcess],
    kubectl: Kubectl,
    tmp_path: Path,
) -> None:
    first = start_operator()
    first.wait_until_leading()
    kubectl.create([play.source(), play.training_job("kept")])
    play.wait_object(kubectl, "job", "kept-train")
    assert first.terminate() == 0
    backup = tmp_path / "backup"
    restart(control_plane, lambda data: shutil.copytree(data, backup))

    second = start_operator()
    second.wait_until_leading()
    third = start_operator()
    third.wait_until_ready()
    kubectl.create(play.training_job("later"))
    play.wait_object(kubectl, "job", "later-train")

    def restore(data: Path) -> None:
        shutil.rmtree(data)
        shutil.copytree(backup, data)

    restart(control_plane, restore)
    assert third.process.wait(180) == 1
    assert "The cluster was restored to an earlier state" in third.log.read_text()
    assert second.process.wait(180) == 1, "it saw that, too, or its Lease ran out before"

    fourth = start_operator()
    fourth.wait_until_leading()
    assert kubectl.get("tj", "later") is None
    kubectl.create(play.training_job("later"))
    play.wait_object(kubectl, "job", "later-train")
    wait_for(
        lambda: fourth.metric("slipway_training_jobs") == 2,
        120,
        "it knows both jobs",
        fourth.log.read_text,
    )
