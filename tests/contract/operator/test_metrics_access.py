"""Who a real API server lets read the operator's metrics, by the chart's own roles."""

from collections.abc import Callable

import httpx
import pytest

from tests.contract.operator.process import NAMESPACE, OperatorProcess
from tests.harness import Kubectl, TestControlPlane

pytestmark = pytest.mark.contract


@pytest.fixture
def secured(start_operator: Callable[..., OperatorProcess]) -> OperatorProcess:
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false", SLIPWAY_SECURE_METRICS="true")
    operator.wait_until_ready()
    return operator


def token(plane: TestControlPlane, account: str) -> str:
    return plane.kubectl.run("create", "token", account, "-n", NAMESPACE, "--duration=1h").strip()


def read(operator: OperatorProcess, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"http://127.0.0.1:{operator.port}/metrics", headers=headers, timeout=30)


def test_a_token_with_the_right_reads_the_metrics_and_no_other_does(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    system = Kubectl(control_plane.kubeconfig, namespace=NAMESPACE)
    system.run("create", "serviceaccount", "stranger")
    page = read(secured, token(control_plane, "slipway-metrics-reader"))
    assert page.status_code == 200
    assert "slipway_leader 1.0" in page.text

    stranger = read(secured, token(control_plane, "stranger"))
    assert stranger.status_code == 403
    assert f"system:serviceaccount:{NAMESPACE}:stranger may not get /metrics" in stranger.text

    for unknown in ("", "made.up.token"):
        answer = read(secured, unknown)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_an_account_that_is_bound_to_the_charts_role_reads_the_metrics(
    secured: OperatorProcess, control_plane: TestControlPlane
) -> None:
    system = Kubectl(control_plane.kubeconfig, namespace=NAMESPACE)
    system.run("create", "serviceaccount", "prometheus")
    granted = ("--clusterrole=slipway-metrics-reader", f"--serviceaccount={NAMESPACE}:prometheus")
    system.run("create", "clusterrolebinding", "prometheus-reads-slipway", *granted)
    assert read(secured, token(control_plane, "prometheus")).status_code == 200
