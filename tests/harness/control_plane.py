"""etcd and kube-apiserver for a test run: real API semantics, no node, a few seconds to start."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dev import gotools, packages
from dev.cluster import daemon
from dev.cluster.control_plane import ControlPlane
from dev.cluster.simulation import Simulation
from dev.shell import write
from tests.harness.audit import AuditLog
from tests.harness.kubectl import Kubectl
from tests.harness.ports import free_ports
from tests.harness.waiting import wait_for

PREFIX = "slipway-control-plane-"
START_SECONDS = 240.0
"""Generous time for a kube-apiserver to be ready on a busy machine, in seconds."""
OWNER = "owner.stat"
"""The line of /proc/PID/stat of the test run that a control plane's folder belongs to."""


@dataclass(frozen=True)
class TestControlPlane:
    """A running control plane. No controller runs: nothing collects garbage or makes pods."""

    __test__ = False
    plane: ControlPlane

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster administrator."""
        return self.plane.kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the administrator."""
        return Kubectl(self.kubeconfig)

    def audit(self, namespace: str = "") -> AuditLog:
        """Return the audit log from now on, of a namespace and of what is in none, or of all."""
        return AuditLog(self.plane.audit_log, namespace)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig with a token (valid for an hour) of an existing service account."""
        token = self.kubectl.run("create", "token", name, "-n", namespace, "--duration=1h")
        path = self.plane.state / f"{namespace}-{name}.kubeconfig"
        return self.plane.write_kubeconfig(path, token.strip(), namespace)

    def user_kubeconfig(self, user: str, group: str = "") -> Path:
        """Return a kubeconfig with a client certificate of this user and group."""
        certificate = self.plane.authority.issue(f"user-{user}", user, group)
        return self.plane.write_kubeconfig(self.plane.state / f"{user}.kubeconfig", certificate)


@contextmanager
def control_plane() -> Iterator[TestControlPlane]:
    """Start etcd and kube-apiserver on free loopback ports; end them when the block ends."""
    packages.ensure(packages.TESTS)
    gotools.ensure(gotools.CONTRACT_TESTS)
    _end_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        plane = _plane(Path(folder))
        # Whole at once: another worker may be looking for what killed runs left.
        write(plane.state / OWNER, Path("/proc/self/stat").read_text())
        plane.prepare()
        try:
            plane.start(START_SECONDS)
            yield TestControlPlane(plane)
        finally:
            daemon.end(daemon.all_recorded(plane.state).values(), grace=0)


def _end_abandoned() -> None:
    """End what test runs left behind that were killed themselves."""
    for owner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER}"):
        # Another worker may be at the same, and remove the folder meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if not daemon.Process.of_stat(owner.read_text()).alive:
                daemon.end(daemon.all_recorded(owner.parent).values(), grace=0)
                shutil.rmtree(owner.parent, ignore_errors=True)


@contextmanager
def simulated_cluster(
    nodes: int, crds: Path, scheduling: tuple[str, ...] = (), pods: str = ""
) -> Iterator[TestControlPlane]:
    """Start a control plane with Kubernetes' controllers and simulated nodes for the block.

    The CRDs come first: the garbage collector looks for new kinds twice a minute only, and asks
    for each owner of a kind that it does not know. ``scheduling`` are further flags of the
    scheduler, ``pods`` another range of the pods' addresses than one that nothing routes.
    """
    gotools.ensure(gotools.SIMULATION)
    with control_plane() as running:
        running.kubectl.apply(crds)
        wait_for(lambda: _established(running.kubectl), 120, "the CRDs are established")
        simulation = Simulation(running.plane, nodes, scheduling)
        (replace(simulation, pods=pods) if pods else simulation).start()
        yield running


def _established(kubectl: Kubectl) -> bool:
    """Tell whether all CRDs are served; ``kubectl wait`` fails where one has no status yet."""
    crds = kubectl.list("crd")
    told = [(crd.get("status") or {}).get("conditions") or () for crd in crds]
    return all(any(c["type"] == "Established" and c["status"] == "True" for c in t) for t in told)


def _plane(state: Path) -> ControlPlane:
    port, etcd_port, etcd_peer_port = free_ports(3)
    return ControlPlane(
        state=state,
        address="127.0.0.1",
        port=port,
        etcd_port=etcd_port,
        etcd_peer_port=etcd_peer_port,
        services="10.113.0.0/16",
        api_service="10.113.0.1",
        # A webhook's Service is another name for this machine, for want of pods behind it; and
        # Kubernetes' own Workload, which gangs may be written as, is off by default.
        extra=(
            "--enable-aggregator-routing=false",
            "--feature-gates=GenericWorkload=true",
            "--runtime-config=scheduling.k8s.io/v1alpha1=true",
        ),
    )
