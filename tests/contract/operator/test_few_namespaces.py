"""An operator of some namespaces, where one of them is deleted with the operator's Role in it."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.chart.rendering import render
from tests.contract.namespaces import new_namespace
from tests.contract.operator import play
from tests.contract.operator.process import NAMESPACE, OperatorProcess
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("the operator's rights are taken away"),
]
SERVED = ("stays", "goes")
ACCESS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


@pytest.fixture
def access(control_plane: TestControlPlane) -> Iterator[list[Object]]:
    """What the operator of these namespaces may do, which is applied."""
    for name in SERVED:
        new_namespace(control_plane.kubectl, name)
    release = render({"watchNamespaces": list(SERVED)}, release="few")
    found = [each for kind in ACCESS for each in release.of(kind)]
    admin = Kubectl(control_plane.kubeconfig, namespace="")
    admin.apply(found)
    yield found
    rest = {"apiVersion": "v1", "kind": "List", "items": found}
    admin.run("delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(rest))


def bindings(access: list[Object]) -> list[Object]:
    """Return the bindings in the namespace that goes."""
    return [
        each
        for each in access
        if each["kind"] == "RoleBinding" and each["metadata"].get("namespace") == "goes"
    ]


def test_a_namespace_that_may_not_be_read_stops_no_other_and_is_taken_in_when_it_may(
    access: list[Object],
    start_operator: Callable[..., OperatorProcess],
    control_plane: TestControlPlane,
) -> None:
    admin = control_plane.kubectl
    stays, goes = (Kubectl(admin.kubeconfig, name) for name in SERVED)
    for each in bindings(access):
        admin.run("delete", "rolebinding", each["metadata"]["name"], "-n", "goes")
    account = control_plane.service_account_kubeconfig(NAMESPACE, "few-slipway")
    settings = {
        "KUBECONFIG": str(account),
        "SLIPWAY_LEADER_ELECTION": "false",
        "SLIPWAY_WATCH_NAMESPACES": ",".join(SERVED),
    }
    operator = start_operator(**settings)
    stays.create([play.source(), play.training_job()])
    play.wait_object(stays, "job", "job-train")
    operator.wait_until_ready()
    assert "Left out, as they may not be read" in operator.log.read_text()

    goes.create([play.source(), play.training_job()])
    admin.apply(bindings(access))
    wait_for(
        lambda: operator.process.poll() is not None,
        240,
        "it ends, to take the namespace in",
        operator.log.read_text,
    )
    assert operator.process.returncode == 1
    start_operator(**settings).wait_until_ready()
    play.wait_object(goes, "job", "job-train")
    for kubectl in (stays, goes):
        kubectl.delete_all("tj")
