"""All processes that make up the cluster."""

from collections.abc import Iterator

from dev.cluster import controllers, node
from dev.cluster.control_plane import ControlPlane
from dev.cluster.daemon import Daemon


def daemons(plane: ControlPlane) -> Iterator[Daemon]:
    """Yield them in the order of their start; ``plane`` has to be prepared if they are to run."""
    yield from plane.daemons()
    yield controllers.controller_manager(plane)
    yield controllers.scheduler(plane)
    yield node.containerd()
    yield node.kubelet()
    yield node.kube_proxy()
