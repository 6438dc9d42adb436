"""What enforces network policies beside the local cluster's own network, which does not."""

from collections.abc import Iterator
from contextlib import contextmanager

from dev import gotools, packages
from dev.cluster import layout, packetfilter
from dev.cluster.daemon import Daemon
from dev.shell import run
from tests.harness.cluster import Cluster
from tests.harness.programs import running, wait_for_program

_CHAINS = ("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-")
_SETS = ("KUBE-SRC-", "KUBE-DST-", "kube-router-")
"""How the names begin that kube-router's firewall gives."""


@contextmanager
def enforced_policies(cluster: Cluster) -> Iterator[None]:
    """Run kube-router's firewall until the block ends, and nothing else of it.

    What it leaves in the kernel is removed then: its own cleaning takes more than what is its.
    """
    packages.ensure({"ipset": "ipset"})
    gotools.ensure(["kube-router"])
    try:
        with running(Daemon("kube-router", _command(cluster), layout.STATE), grace=10) as firewall:
            wait_for_program(firewall, _begun, 120, "the firewall is in place")
            yield
    finally:
        packetfilter.clean((*_CHAINS, *_SETS))


def _begun() -> bool:
    return "KUBE-ROUTER-FORWARD" in run("iptables-save", "-t", "filter")


def _command(cluster: Cluster) -> tuple[str, ...]:
    (node,) = cluster.kubectl.list("nodes")
    return (
        str(gotools.path("kube-router")),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--hostname-override={node['metadata']['name']}",
        f"--service-cluster-ip-range={layout.SERVICES}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--health-port=0",
    )
