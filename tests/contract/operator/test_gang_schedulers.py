"""Gangs that Coscheduling and Volcano place, each a process beside one simulated cluster."""

from collections.abc import Iterator

import pytest

from tests.contract.namespaces import CRDS
from tests.contract.operator.gangs import placed_together_or_not_at_all
from tests.contract.operator.kubelet import Begin
from tests.contract.operator.process import grant_access
from tests.harness import TestControlPlane
from tests.harness.control_plane import simulated_cluster
from tests.harness.gang_schedulers import COSCHEDULING, coscheduling, volcano

pytestmark = [pytest.mark.contract, pytest.mark.long]


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    with simulated_cluster(1, CRDS) as plane, coscheduling(plane), volcano(plane):
        grant_access(plane)
        yield plane


@pytest.mark.parametrize(
    "spec",
    [
        {"gang": "Coscheduling", "podTemplate": {"spec": {"schedulerName": COSCHEDULING}}},
        {"gang": "Volcano"},
    ],
    ids=lambda spec: str(spec["gang"]),
)
def test_a_gang_takes_no_node_until_there_is_room_for_all_of_it(
    spec: dict[str, object], begin: Begin, control_plane: TestControlPlane
) -> None:
    placed_together_or_not_at_all(begin, control_plane.kubectl, **spec)
