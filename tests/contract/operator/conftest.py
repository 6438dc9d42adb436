"""The operator as a process against a real API server, with the chart's own account and rights."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev import gotools
from tests.contract.namespaces import new_namespace
from tests.contract.operator import play
from tests.contract.operator.kubelet import Begin, Kubelet
from tests.contract.operator.process import (
    ACCOUNT,
    NAMESPACE,
    OperatorProcess,
    plane_of_the_chart,
)
from tests.harness import Kubectl, TestControlPlane
from tests.harness.job_controller import job_controller
from tests.harness.s3 import S3Server


@pytest.fixture(scope="package")
def common_control_plane() -> Iterator[TestControlPlane]:
    """A control plane with the CRDs and the chart's RBAC, for all tests of this folder."""
    with plane_of_the_chart() as plane:
        yield plane


@pytest.fixture(scope="module")
def control_plane(request: pytest.FixtureRequest) -> Iterator[TestControlPlane]:
    """The folder's control plane, or one of the module's own where it is marked so.

    It is marked where it changes more than its tests' own namespaces.
    """
    if request.node.get_closest_marker("own_control_plane") is None:
        yield request.getfixturevalue("common_control_plane")
        return
    with plane_of_the_chart() as plane:
        yield plane


@pytest.fixture(scope="module")
def kubeconfig(control_plane: TestControlPlane) -> Path:
    """A kubeconfig of the operator's service account."""
    return control_plane.service_account_kubeconfig(NAMESPACE, ACCOUNT)


@pytest.fixture
def kubectl(control_plane: TestControlPlane) -> Iterator[Kubectl]:
    """kubectl in a new namespace, whose objects of ours are deleted afterwards.

    Their Jobs too: Kubernetes' controllers, which a later module may start, would begin them all.
    """
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl = new_namespace(control_plane.kubectl, name)
    yield kubectl
    kubectl.delete_all("tj", "mdep", "jobs")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    """A running store of its own."""
    gotools.ensure(["slipway-store"])
    server = S3Server(tmp_path / "s3")
    server.start()
    yield server
    server.stop()


class SharedOperator:
    """One operator for tests of a module, each of which is in a namespace of its own."""

    def __init__(self, kubeconfig: Path, folder: Path, **settings: str) -> None:
        self._kubeconfig = kubeconfig
        self._log = folder / "operator.log"
        self._settings = {"SLIPWAY_LEADER_ELECTION": "false", **settings}
        self._running: OperatorProcess | None = None

    def ensure(self) -> OperatorProcess:
        """Have it run, and be ready."""
        if self._running is None:
            self._running = OperatorProcess.start(self._kubeconfig, self._log, self._settings)
            self._running.wait_until_ready()
        return self._running

    def end(self) -> None:
        """Have none run, so that a test can start its own."""
        if self._running is not None:
            self._running.end()
            self._running = None


@pytest.fixture(scope="module")
def one_for_all(
    kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedOperator]:
    """The operator of tests that need none of their own; it ends before one starts another."""
    shared = SharedOperator(kubeconfig, tmp_path_factory.mktemp("operator"))
    yield shared
    shared.end()


@pytest.fixture
def start_operator(
    kubeconfig: Path, one_for_all: SharedOperator, tmp_path: Path
) -> Iterator[Callable[..., OperatorProcess]]:
    """Start operators with extra settings; all are ended afterwards."""
    one_for_all.end()
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
def operator(request: pytest.FixtureRequest, one_for_all: SharedOperator) -> OperatorProcess:
    """A running operator that is ready and leads: the test's own, or the module's if marked so."""
    if request.node.get_closest_marker("one_operator") is not None:
        return one_for_all.ensure()
    start: Callable[..., OperatorProcess] = request.getfixturevalue("start_operator")
    operator = start(SLIPWAY_LEADER_ELECTION="false")
    operator.wait_until_ready()
    return operator


@pytest.fixture(scope="module")
def controllers(control_plane: TestControlPlane) -> Iterator[None]:
    """Kubernetes' own Job controller and garbage collector."""
    with job_controller(control_plane):
        yield


@pytest.fixture(scope="module")
def shared_operator(
    kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedOperator]:
    """The operator of `begin`, which takes a node for lost sooner than by default.

    Pods that are told to go have 30 s, and Kubernetes' controllers ten to replace one: on a busy
    machine that is not soon after.
    """
    folder = tmp_path_factory.mktemp("operator")
    shared = SharedOperator(kubeconfig, folder, SLIPWAY_LOST_POD_SECONDS="30")
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
