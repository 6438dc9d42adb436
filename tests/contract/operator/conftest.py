"""The operator as a process against a real API server, with the chart's own account and rights."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev import gotools
from tests.contract.namespaces import install_kinds, new_namespace
from tests.contract.operator import play
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess, grant_access
from tests.harness import Kubectl, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane
from tests.harness.job_controller import job_controller
from tests.harness.s3 import S3Server


@pytest.fixture(scope="module")
def control_plane() -> Iterator[TestControlPlane]:
    """A control plane of its own for each module, with the CRDs and the chart's RBAC."""
    with running_control_plane() as plane:
        install_kinds(plane.kubectl)
        grant_access(plane)
        yield plane


@pytest.fixture(scope="module")
def kubeconfig(control_plane: TestControlPlane) -> Path:
    """A kubeconfig of the operator's service account."""
    return control_plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)


@pytest.fixture
def kubectl(control_plane: TestControlPlane) -> Iterator[Kubectl]:
    """kubectl in a new namespace, whose objects of ours are deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl = new_namespace(control_plane.kubectl, name)
    yield kubectl
    kubectl.delete_all("tj", "mdep")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    """A running store of its own."""
    gotools.ensure(["slipway-store"])
    server = S3Server(tmp_path / "s3")
    server.start()
    yield server
    server.stop()


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


@pytest.fixture(scope="module")
def controllers(control_plane: TestControlPlane) -> Iterator[None]:
    """Kubernetes' own Job controller and garbage collector."""
    with job_controller(control_plane):
        yield


class SharedOperator:
    """One operator for a module's tests, which takes a node for lost soon."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._kubeconfig = kubeconfig
        self._log = folder / "operator.log"
        self._running: OperatorProcess | None = None

    def ensure(self) -> None:
        """Have it run, and be ready."""
        if self._running is None:
            settings = {"SLIPWAY_LEADER_ELECTION": "false", "SLIPWAY_LOST_POD_SECONDS": "2"}
            self._running = OperatorProcess.start(self._kubeconfig, self._log, settings)
            self._running.wait_until_ready()

    def end(self) -> None:
        """Have none run, so that a test can start its own."""
        if self._running is not None:
            self._running.end()
            self._running = None


@pytest.fixture(scope="module")
def shared_operator(
    kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedOperator]:
    """The operator of `begin`."""
    shared = SharedOperator(kubeconfig, tmp_path_factory.mktemp("operator"))
    yield shared
    shared.end()


@pytest.fixture
def begin(shared_operator: SharedOperator, kubectl: Kubectl) -> Begin:
    """Create jobs of two pods under the module's operator."""
    shared_operator.ensure()
    kubectl.create(play.source())

    def create(name: str = "job", **spec: object) -> Kubelet:
        kubectl.create(play.training_job(name, **spec))
        return Kubelet(kubectl, name)

    return create
