"""What a gang of two pods must do on simulated nodes with room for one pod each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from dev.cluster.simulation import node
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.harness import Kubectl
from tests.harness.waiting import wait_for

MORE_THAN_HALF_A_NODE = {"limits": {"cpu": "600", "memory": "1Gi"}}
_NO_ROOM = re.compile("insufficient cpu|pod group is not ready", re.IGNORECASE)


def places(job: Kubelet) -> list[str]:
    """Return the nodes of the pods that have one."""
    return [name for pod in job.pods() if (name := pod["spec"].get("nodeName"))]


def without_room(job: Kubelet) -> list[str]:
    """Return what the scheduler says of the pods that it found no room for."""
    conditions = (one for pod in job.pods() for one in pod["status"].get("conditions", ()))
    return [one["message"] for one in conditions if _NO_ROOM.search(one.get("message", ""))]


@contextmanager
def another_node(admin: Kubectl) -> Iterator[None]:
    """Have one more node for the block."""
    admin.create(node(1))
    try:
        yield
    finally:
        admin.delete("node", "simulated-1")


def placed_together_or_not_at_all(begin: Begin, admin: Kubectl, **spec: object) -> None:
    """Create a gang where there is one node, look that it takes none, and give it another."""
    gang = begin("gang", resources=MORE_THAN_HALF_A_NODE, package=None, **spec)
    wait_for(lambda: without_room(gang), 60, "the scheduler has looked at the gang", gang.report)
    gang.phase("Queued")
    assert len(gang.pods()) == 2
    assert places(gang) == [], "a part of a gang holds a node"
    with another_node(admin):
        gang.phase("Running")
        assert len(set(places(gang))) == 2
