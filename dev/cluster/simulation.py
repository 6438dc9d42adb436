"""Simulated nodes: pods on them run and are ready at once, and nothing does (KWOK).

What is measured on them is the control plane alone: the API server, Kubernetes' controllers and
whatever operator watches them. Started beside a `ControlPlane` of its own, never in the local
cluster.
"""

import json
from dataclasses import dataclass

from dev import gotools, paths
from dev.cluster import controllers
from dev.cluster.control_plane import ControlPlane
from dev.cluster.daemon import Daemon
from dev.kubectl import Kubectl
from dev.shell import wait_until

STAGES = paths.REPOSITORY / "dev" / "cluster" / "manifests" / "simulated-nodes.yaml"
PATIENT = "--node-monitor-grace-period=1h"
"""A node counts as lost after so long: no kubelet would have its pods ready again after that."""
FAST = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""With the default of 20 requests a second, Kubernetes' own throttle is all that one measures."""
_PODS = "198.18.0.1/15"
"""Addresses for benchmarks, which no network routes (RFC 2544)."""


def node(number: int) -> dict[str, object]:
    """Return a simulated node, which KWOK makes ready with room for anything."""
    name = f"simulated-{number}"
    meta = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta}


@dataclass(frozen=True)
class Simulation:
    """kube-controller-manager, kube-scheduler and KWOK for a control plane that runs.

    ``scheduling`` are further flags of the scheduler, such as those that turn features on.
    ``pods`` is the range that the pods' addresses are taken from.
    """

    plane: ControlPlane
    nodes: int
    scheduling: tuple[str, ...] = ()
    pods: str = _PODS

    def daemons(self) -> tuple[Daemon, ...]:
        """Return the three processes, none of which listens anywhere."""
        flags = ("--leader-elect=false", "--secure-port=0", *FAST)
        own = ("--use-service-account-credentials=true", PATIENT)
        return (
            controllers.controller_manager(self.plane, (*flags, *own)),
            controllers.scheduler(self.plane, (*flags, *self.scheduling)),
            self._kwok(),
        )

    def start(self, timeout: float = 60) -> None:
        """Start all, make the nodes, and wait until every node is ready."""
        controllers.configure(self.plane)
        for daemon in self.daemons():
            daemon.start()
        kubectl = Kubectl(self.plane.kubeconfig)
        nodes = {"apiVersion": "v1", "kind": "List", "items": [*map(node, range(self.nodes))]}
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(nodes))
        wait_until(self._all_ready, timeout, "Readiness of the simulated nodes")

    def _kwok(self) -> Daemon:
        argv = (
            str(gotools.path("kwok")),
            f"--kubeconfig={self.plane.kubeconfig}",
            f"--config={STAGES}",
            f"--cidr={self.pods}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
        )
        return Daemon("kwok", argv, self.plane.state)

    def _all_ready(self) -> bool:
        for daemon in self.daemons():
            daemon.check()
        ready = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
        text = Kubectl(self.plane.kubeconfig)("get", "nodes", f"-o=jsonpath={ready}")
        return text.split() == ["True"] * self.nodes
