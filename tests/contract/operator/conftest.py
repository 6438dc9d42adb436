"""The operator as a process against a real API server, with the chart's own account and rights."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev import gotools
from tests.chart.rendering import render
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import Kubectl, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane

ROOT = Path(__file__).parents[3]
ACCESS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    """A control plane of its own for each module, with the CRDs and the chart's RBAC."""
    gotools.ensure(["helm"])
    with running_control_plane() as plane:
        kubectl = Kubectl(plane.kubeconfig, namespace="")
        kubectl.run("create", "namespace", NAMESPACE)
        kubectl.apply(ROOT / "crds")
        kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        kubectl.apply([found for kind in ACCESS for found in render().of(kind)])
        yield plane


@pytest.fixture(scope="module")
def kubeconfig(control_plane: TestControlPlane) -> Path:
    """A kubeconfig of the operator's service account."""
    return control_plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)


@pytest.fixture
def kubectl(control_plane: TestControlPlane) -> Iterator[Kubectl]:
    """kubectl in a new namespace, whose objects of ours are deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl.run("create", "namespace", name)
    kubectl = Kubectl(control_plane.kubeconfig, name)
    kubectl.run("create", "serviceaccount", "default")
    yield kubectl
    kubectl.run("delete", "tj,mdep", "--all")


@pytest.fixture
def start_operator(kubeconfig: Path, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Start operators with extra settings; all are ended afterwards."""
    running: list[OperatorProcess] = []

    def start(**settings: str) -> OperatorProcess:
        log = tmp_path / f"operator-{len(running)}.log"
        operator = OperatorProcess.start(kubeconfig, log, settings)
        running.append(operator)
        return operator

    yield start
    for operator in running:
        operator.end()


@pytest.fixture
def operator(start_operator: Callable[..., OperatorProcess]) -> OperatorProcess:
    """A running operator that is ready and leads."""
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false")
    operator.wait_until_ready()
    return operator
