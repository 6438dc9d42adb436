"""What is deleted takes all along, at whatever stage and however it is deleted, and stays gone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.contract.operator.test_life import settle
from tests.contract.operator.test_rollouts import A_QUARTER, at_weight, deployment, serve, until
from tests.contract.operator.test_webhooks import CHILDREN, OURS
from tests.harness import Kubectl, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.job_controller import job_controller
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.one_operator]
USER = service_account(NAMESPACE, ACCOUNT)
KINDS = (*(kind for kind in CHILDREN if "podgroup" not in kind and kind != "workload"), "pod")


@pytest.fixture(scope="module")
def collected(control_plane: TestControlPlane) -> Iterator[None]:
    """Kubernetes' controllers of Jobs and garbage."""
    with job_controller(control_plane):
        yield


SIGNED: dict[str, Any] = {
    "package": {
        "serializedFile": "model.pt",
        "handler": "image_classifier",
        "sign": {"keySecretRef": {"name": "signer", "key": "private.pem"}},
    }
}
"""A job that waits for a key before it trains."""


def left(kubectl: Kubectl) -> list[str]:
    """Return what there is of both kinds and their children, and of the store's credentials."""
    kinds = ("trainingjob", "modeldeployment", *KINDS)
    found = [f"{kind}/{o['metadata']['name']}" for kind in kinds for o in kubectl.list(kind)]
    owned = [one for one in found if one not in ("configmap/source", "configmap/kube-root-ca.crt")]
    return owned + (["secret"] if kubectl.get("secret", "slipway-store") else [])


def gone(kubectl: Kubectl, operator: OperatorProcess) -> None:
    """Wait until nothing is left, and see that nothing comes back.

    What the operator was about to make when the owner went is made, and collected once more.
    """
    for _ in range(2):
        wait_for(lambda: not left(kubectl), 180, "all is gone", lambda: str(left(kubectl)))
        wait_for(lambda: operator.rests, 120, "the operator has nothing to do")
    kubectl.create(play.training_job("other", suspend=True))
    wait_for(lambda: (kubectl.get("tj", "other") or {}).get("status"), 120, "it goes on to work")
    assert not [one for one in left(kubectl) if "other" not in one and one != "secret"]


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("cascade", ["background", "foreground"])
@pytest.mark.parametrize("moment", ["new", "serves", "canary"])
def test_a_deployment_that_is_deleted_takes_all_along_whatever_it_does(
    moment: str, cascade: str, operator: OperatorProcess, kubectl: Kubectl
) -> None:
    if moment == "new":
        kubectl.create(deployment("1"))
        play.wait_object(kubectl, "deployment", "model")
    else:
        serve(kubectl, "1")
    if moment == "canary":
        kubectl.apply(deployment("2"))
        play.wait_object(kubectl, "deployment", "model-green")
        until(kubectl, at_weight(25), A_QUARTER, bring_up="model-green")
    kubectl.run("delete", "mdep", "model", f"--cascade={cascade}", "--wait=false")
    gone(kubectl, operator)


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("cascade", ["background", "foreground"])
@pytest.mark.parametrize("moment", ["keys", "queued", "running", "packaging", "ended"])
def test_a_job_that_is_deleted_takes_all_along_whatever_it_does(
    moment: str, cascade: str, operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create([play.source(), play.training_job(**(SIGNED if moment == "keys" else {}))])
    if moment == "keys":
        _pods(kubectl, "keys", 1)
    else:
        _bring_to(kubectl, moment)
    kubectl.run("delete", "tj", "job", f"--cascade={cascade}", "--wait=false")
    gone(kubectl, operator)


def _bring_to(kubectl: Kubectl, moment: str) -> None:
    """Let a job come to where it is queued, running, packaging or ended."""
    pods = _pods(kubectl)
    if moment == "queued":
        return
    for pod in pods:
        play.run_pod(kubectl, pod)
    play.wait_phase(kubectl, "job", "Running")
    if moment == "running":
        return
    for pod in pods:
        play.end_pod(kubectl, pod, 0, play.trained())
    (packager,) = _pods(kubectl, "packager", 1)
    if moment == "packaging":
        return
    play.run_pod(kubectl, packager)
    play.end_pod(kubectl, packager, 0, play.packaged())
    play.wait_phase(kubectl, "job", "Succeeded")


def _pods(kubectl: Kubectl, component: str = "trainer", count: int = 2) -> list[str]:
    selector = f"slipway.dev/component={component}"

    def made() -> list[str] | None:
        names = [str(pod["metadata"]["name"]) for pod in kubectl.list("pods", selector)]
        return names if len(names) == count else None

    return wait_for(made, 180, f"{count} pods are made")


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("kind", ["trainingjob", "modeldeployment"])
def test_an_object_that_somebodys_finalizer_holds_is_left_as_it_is(
    kind: str, operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    is_job = kind == "trainingjob"
    made = play.training_job() if is_job else play.model_deployment()
    name, child = made["metadata"]["name"], ("job", "job-train") if is_job else ("service", "model")
    made["metadata"]["finalizers"] = ["example.com/hold"]
    kubectl.create([play.source(), made])
    play.wait_object(kubectl, *child)
    audit = control_plane.audit(kubectl.namespace)
    settle(operator, audit)
    reconciles = operator.metric("slipway_reconcile_total")
    kubectl.run("delete", kind, name, "--wait=false")
    wait_for(lambda: operator.metric("slipway_reconcile_total") > reconciles, 120, "it hears of it")
    kubectl.delete(*child)
    audit.mark()
    reconciles = operator.metric("slipway_reconcile_total")
    kubectl.run("annotate", kind, name, "example.com/look=1")
    wait_for(lambda: operator.metric("slipway_reconcile_total") > reconciles, 120, "it looks at it")
    assert settle(operator, audit) == 0
    assert kubectl.get(*child) is None, "what goes gets nothing back"
    kubectl.patch(kind, name, {"metadata": {"finalizers": None}})
    gone(kubectl, operator)


@pytest.mark.usefixtures("collected")
def test_children_that_a_deletion_orphaned_are_told_to_the_next_of_the_name(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create(play.model_deployment())
    play.wait_object(kubectl, "horizontalpodautoscaler", "model")
    play.wait_object(kubectl, "deployment", "model")
    kubectl.run("delete", "mdep", "model", "--cascade=orphan")
    assert kubectl.get("deployment", "model")
    kubectl.create(play.model_deployment())

    def told() -> str:
        status = (kubectl.get("mdep", "model") or {}).get("status") or {}
        found = (one for one in status.get("conditions") or () if one["type"] == "Stalled")
        return next((str(one["message"]) for one in found), "")

    wait_for(lambda: "controlled by nobody: delete it" in told(), 120, "it is told", told)
    kubectl.run("delete", "svc,deploy,cm,hpa,pdb,netpol", "-l", OURS)
    play.wait_object(kubectl, "deployment", "model")
    wait_for(lambda: not told(), 120, "it goes on", told)
