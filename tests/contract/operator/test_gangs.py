"""Gangs that Kubernetes' own scheduler places, and what becomes of pods that are none."""

from collections.abc import Iterator

import pytest

from tests.contract.namespaces import CRDS
from tests.contract.operator.gangs import (
    MORE_THAN_HALF_A_NODE,
    placed_together_or_not_at_all,
    places,
    without_room,
)
from tests.contract.operator.kubelet import Begin
from tests.contract.operator.process import grant_access
from tests.harness import TestControlPlane
from tests.harness.control_plane import simulated_cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract

GANGS = ("--feature-gates=GenericWorkload=true,GangScheduling=true",)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    with simulated_cluster(1, CRDS, GANGS) as plane:
        grant_access(plane)
        yield plane


def test_a_gang_takes_no_node_until_there_is_room_for_all_of_it(
    begin: Begin, control_plane: TestControlPlane
) -> None:
    placed_together_or_not_at_all(begin, control_plane.kubectl, gang="Workload")


def test_without_a_gang_a_part_of_the_pods_holds_a_node_in_vain(begin: Begin) -> None:
    job = begin("parts", resources=MORE_THAN_HALF_A_NODE, package=None)
    wait_for(lambda: without_room(job) and places(job), 60, "one of two has a node", job.report)
    job.phase("Queued")
