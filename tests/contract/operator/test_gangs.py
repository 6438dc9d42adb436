"""Gangs that Kubernetes' own scheduler places, on simulated nodes with room for one pod each."""

from collections.abc import Iterator

import pytest

from dev.cluster.simulation import node
from tests.contract.namespaces import CRDS
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import grant_access
from tests.harness import TestControlPlane
from tests.harness.control_plane import simulated_cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract

GANGS = ("--feature-gates=GenericWorkload=true,GangScheduling=true",)
MORE_THAN_HALF_A_NODE = {"limits": {"cpu": "600", "memory": "1Gi"}}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    with simulated_cluster(1, CRDS, GANGS) as plane:
        grant_access(plane)
        yield plane


def places(job: Kubelet) -> list[str]:
    """Return the nodes of the pods that have one."""
    return [name for pod in job.pods() if (name := pod["spec"].get("nodeName"))]


def without_room(job: Kubelet) -> list[str]:
    """Return what the scheduler says of the pods that it found no room for."""
    conditions = (one for pod in job.pods() for one in pod["status"].get("conditions", ()))
    return [one["message"] for one in conditions if "Insufficient cpu" in one.get("message", "")]


def test_a_gang_takes_no_node_until_there_is_room_for_all_of_it(
    begin: Begin, control_plane: TestControlPlane
) -> None:
    gang = begin("gang", gang="Workload", resources=MORE_THAN_HALF_A_NODE, package=None)
    wait_for(lambda: without_room(gang), 60, "the scheduler has looked at the gang", gang.report)
    assert len(gang.pods()) == 2
    gang.phase("Queued")
    assert places(gang) == [], "a part of a gang holds a node"
    control_plane.kubectl.create(node(1))
    gang.phase("Running")
    assert len(set(places(gang))) == 2


def test_without_a_gang_a_part_of_the_pods_holds_a_node_in_vain(begin: Begin) -> None:
    job = begin("parts", nodes=4, resources=MORE_THAN_HALF_A_NODE, package=None)
    wait_for(lambda: without_room(job) and places(job), 60, "some have a node", job.report)
    job.phase("Queued")
