"""Gangs that each scheduler of gangs places, on simulated nodes with room for one pod each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev.cluster.simulation import node
from tests.contract.namespaces import CRDS
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import grant_access
from tests.harness import Kubectl, TestControlPlane
from tests.harness.control_plane import simulated_cluster
from tests.harness.gang_schedulers import COSCHEDULING, coscheduling, volcano
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.long]

FEATURES = ("--feature-gates=GenericWorkload=true,GangScheduling=true",)
"""What Kubernetes' own scheduler needs for gangs."""
MORE_THAN_HALF_A_NODE = {"limits": {"cpu": "600", "memory": "1Gi"}}
NO_ROOM = re.compile("insufficient cpu|pod group is not ready", re.IGNORECASE)
GANGS: dict[str, dict[str, object]] = {
    "Workload": {},
    "Coscheduling": {"podTemplate": {"spec": {"schedulerName": COSCHEDULING}}},
    "Volcano": {},
}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    with simulated_cluster(1, CRDS, FEATURES) as plane, coscheduling(plane), volcano(plane):
        grant_access(plane)
        yield plane


def places(job: Kubelet) -> list[str]:
    """Return the nodes of the pods that have one."""
    return [name for pod in job.pods() if (name := pod["spec"].get("nodeName"))]


def without_room(job: Kubelet) -> list[str]:
    """Return what the scheduler says of the pods that it found no room for."""
    conditions = (one for pod in job.pods() for one in pod["status"].get("conditions", ()))
    return [one["message"] for one in conditions if NO_ROOM.search(one.get("message", ""))]


@contextmanager
def another_node(admin: Kubectl) -> Iterator[None]:
    """Have one more node for the block."""
    admin.create(node(1))
    try:
        yield
    finally:
        admin.delete("node", "simulated-1")


@pytest.mark.parametrize("gang", GANGS)
def test_a_gang_takes_no_node_until_there_is_room_for_all_of_it(
    gang: str, begin: Begin, control_plane: TestControlPlane
) -> None:
    job = begin(gang=gang, resources=MORE_THAN_HALF_A_NODE, package=None, **GANGS[gang])
    wait_for(lambda: without_room(job), 180, "the scheduler has looked at the gang", job.report)
    job.phase("Queued")
    assert len(job.pods()) == 2
    assert places(job) == [], "a part of a gang holds a node"
    with another_node(control_plane.kubectl):
        job.phase("Running")
        assert len(set(places(job))) == 2


def test_without_a_gang_a_part_of_the_pods_holds_a_node_in_vain(begin: Begin) -> None:
    job = begin(resources=MORE_THAN_HALF_A_NODE, package=None)
    wait_for(lambda: without_room(job) and places(job), 180, "one of two has a node", job.report)
    job.phase("Queued")
