"""The local cluster itself: started twice, with a part that died, and what its node offers."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from dev.cluster import layout
from dev.cluster.parts import daemons
from dev.cluster.up import up
from dev.images import system
from tests.cluster.support import Space, condition
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.alone]


def _pids() -> dict[str, int]:
    found = {each.name: each.process for each in daemons(layout.control_plane())}
    return {name: process.pid for name, process in found.items() if process}


def _pod(name: str, command: str, limits: dict[str, str]) -> Object:
    container = {
        "name": "main",
        "image": system.images()["busybox"].reference,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", command],
        "resources": {"limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _ended(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


@pytest.fixture
def whole(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, made whole again after the test."""
    yield cluster
    up()


def test_a_second_start_leaves_every_process_alone(
    whole: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    before = _pids()
    up()
    shown = capfd.readouterr()
    assert _pids() == before
    assert "up already" in shown.err
    assert f"export KUBECONFIG={whole.kubeconfig}" in shown.out


@pytest.mark.parametrize("part", ["kubelet", "kube-proxy", "kube-scheduler"])
def test_a_part_that_died_is_started_again_and_no_other(whole: Cluster, part: str) -> None:
    before = _pids()
    os.kill(before[part], signal.SIGKILL)
    wait_for(lambda: part not in _pids(), 120, f"{part} is gone")
    up()
    after = _pids()
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {part}


@pytest.mark.parametrize("address", ["10.112.255.250", "10.113.255.250"])
def test_what_is_meant_for_a_pod_or_service_that_is_gone_reaches_nobody(
    cluster: Cluster, address: str
) -> None:
    with pytest.raises(OSError, match=r"No route to host|timed out"):
        socket.create_connection((address, 80), timeout=2)


def test_names_outside_the_cluster_do_not_exist_and_those_inside_do(space: Space) -> None:
    lookups = "nslookup kubernetes.default.svc.cluster.local && ! nslookup example.com"
    space.apply(_pod("names", lookups, {}))
    pod = space.wait("pod", "names", _ended, 240)
    assert pod["status"]["phase"] == "Succeeded", space.report()


def test_the_node_counts_its_simulated_gpus(space: Space) -> None:
    space.apply(
        _pod("fits", "true", {"nvidia.com/gpu": str(layout.GPUS)}),
        _pod("too-many", "true", {"nvidia.com/gpu": str(layout.GPUS + 1)}),
    )
    pod = space.wait("pod", "fits", _ended, 240)
    assert pod["status"]["phase"] == "Succeeded", space.report()
    waiting = space.wait("pod", "too-many", lambda it: condition(it, "PodScheduled"), 240)
    assert "Insufficient nvidia.com/gpu" in condition(waiting, "PodScheduled")["message"]
