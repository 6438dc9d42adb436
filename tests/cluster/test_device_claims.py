"""Devices by dynamic resource allocation: Kubernetes' example driver, and jobs that claim from it.

The driver's GPUs are made up; scheduler, controllers, kubelet and the driver's plugin are real.
What the plugin would have put into the containers is not looked at: Debian's containerd (1.6) is
older than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev import gotools
from dev.cluster import layout
from dev.cluster.daemon import Daemon
from tests.cluster.support import Space, condition, source, training_job
from tests.harness import Cluster, Object
from tests.harness.programs import running, wait_for_program
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.long]

DRIVER = "gpu.example.com"
TRAINS_ON = """
import time
deadline = time.monotonic() + 3600
while time.monotonic() < deadline:
    time.sleep(1)
"""


@dataclass(frozen=True)
class Driver:
    """The driver on the one node, with two devices."""

    folder: Path

    def prepared(self) -> set[str]:
        """Return the UIDs of the claims that the kubelet has had it prepare."""
        names = {path.stem.rpartition("_")[2] for path in self.folder.glob(f"*{DRIVER}*_*")}
        return names - {"common"}  # which is there for all of them


@pytest.fixture
def driver(cluster: Cluster, tmp_path: Path) -> Iterator[Driver]:
    gotools.ensure(["dra-example-driver"])
    kubectl, folder = cluster.kubectl, tmp_path / "cdi"
    kubectl.apply(_object("DeviceClass", DRIVER, _selectors()))
    program = Daemon("dra-example-driver", _command(cluster, folder), tmp_path)
    try:
        with running(program, grace=10) as plugin:
            told = "the driver has told its devices"
            wait_for_program(plugin, lambda: kubectl.list("resourceslices"), 180, told)
            yield Driver(folder)
    finally:
        kubectl.delete("deviceclass", DRIVER)


def _command(cluster: Cluster, folder: Path) -> tuple[str, ...]:
    """Return the command of the kubelet's plugin; ``folder`` is where it writes for containers."""
    (node,) = cluster.kubectl.list("nodes")
    return (
        str(gotools.path("dra-example-driver")),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--node-name={node['metadata']['name']}",
        f"--kubelet-registrar-directory-path={layout.KUBELET_ROOT / 'plugins_registry'}",
        f"--kubelet-plugins-directory-path={layout.KUBELET_ROOT / 'plugins'}",
        f"--cdi-root={folder}",
        "--num-devices=2",
    )


def _object(kind: str, name: str, spec: Object) -> Object:
    api = "resource.k8s.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _selectors() -> Object:
    return {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]}


def _one_gpu() -> Object:
    requests = [{"name": "gpu", "exactly": {"deviceClassName": DRIVER}}]
    return _object(
        "ResourceClaimTemplate", "one-gpu", {"spec": {"devices": {"requests": requests}}}
    )


def _job(name: str, nodes: int) -> Object:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]
    return training_job(
        name, "endless", nodes=nodes, processesPerNode=1, framework="plain", resourceClaims=claims
    )


def test_each_pod_has_a_device_of_its_own_and_who_finds_none_waits_until_one_is_free(
    space: Space, driver: Driver
) -> None:
    space.apply(source("endless", main=TRAINS_ON), _one_gpu(), _job("both", nodes=2))
    space.wait_for_phase("both", "Running")
    claims = space.kubectl.list("resourceclaims")
    devices = {_device(one) for one in claims}
    assert len(devices) == len(claims) == 2
    pods = space.pods("slipway.dev/training-job=both")
    holders = {one["status"]["reservedFor"][0]["uid"] for one in claims}
    assert holders == {pod["metadata"]["uid"] for pod in pods}
    assert driver.prepared() >= {one["metadata"]["uid"] for one in claims}

    space.apply(_job("late", nodes=1))
    waiting = space.wait_for_reason("trainingjob", "late", "Queued", "Unschedulable")
    assert "cannot allocate all claims" in waiting["message"]
    space.kubectl.delete("trainingjob", "both")
    late = space.wait_for_phase("late", "Running")
    assert condition(late, "Queued")["status"] == "False"
    space.kubectl.delete("trainingjob", "late")
    space.wait_until_gone("pods", "slipway.dev/training-job=late")
    wait_for(lambda: not driver.prepared(), 180, "no claim is prepared any more", space.report)


def _device(claim: Object) -> str:
    (result,) = claim["status"]["allocation"]["devices"]["results"]
    assert result["driver"] == DRIVER
    return str(result["device"])
