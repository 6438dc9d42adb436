"""What a year on a shared cluster brings: the operator goes on, says so, and writes no flood."""

import time
from pathlib import Path

import pytest

from tests.contract.namespaces import new_namespace
from tests.contract.operator import play
from tests.contract.operator.kubelet import Begin
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.waiting import wait_for

pytestmark = [
    pytest.mark.contract,
    pytest.mark.own_control_plane("kinds are deleted, and a namespace stays for ever"),
]
CRDS = Path(__file__).parents[3] / "crds"
USER = service_account(NAMESPACE, ACCOUNT)
MIB = 1 << 20
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


def test_kinds_that_are_deleted_and_applied_again_are_watched_again(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    kubectl.create([play.source(), play.training_job("before")])
    play.wait_object(kubectl, "job", "before-train")
    admin = control_plane.kubectl
    names = ("crd/trainingjobs.slipway.dev", "crd/modeldeployments.slipway.dev")
    admin.run("delete", *names)
    wait_for(lambda: "slipway crds" in operator.log.read_text(), 120, "it says what is missing")
    assert operator.status("/healthz") == 200
    admin.apply(CRDS)
    admin.wait_until_established(*names)
    kubectl.create([play.training_job("after"), play.model_deployment()])
    play.wait_object(kubectl, "job", "after-train")
    play.wait_object(kubectl, "deployment", "model")
    wait_for(lambda: operator.status("/readyz") == 200, 120, "it is ready", operator.log.read_text)


def _seconds_to_a_job(kubectl: Kubectl, name: str) -> float:
    """Return how long a TrainingJob waits for its Job, which a busy machine alone may delay."""
    begun = time.monotonic()
    kubectl.create(play.training_job(name))
    play.wait_object(kubectl, "job", f"{name}-train")
    return time.monotonic() - begun


def test_a_namespace_that_is_stuck_on_its_way_out_costs_a_few_requests_and_delays_no_other(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    """No controller runs that would take the namespace away: it stays for ever."""
    admin = control_plane.kubectl
    kubectl.create(play.source())
    alone = _seconds_to_a_job(kubectl, "before")
    stuck = new_namespace(admin, f"stuck-{kubectl.namespace}")
    stuck.create([play.source(), *(play.training_job(f"job-{n}") for n in range(8))])
    for number in range(8):
        play.wait_object(stuck, "job", f"job-{number}-train")
    admin.run("delete", "namespace", stuck.namespace, "--wait=false")
    stuck.run("delete", "jobs,services,networkpolicies", "--all")
    audit, begun = control_plane.audit(), time.monotonic()
    beside = _seconds_to_a_job(kubectl, "job")
    assert beside < 60 + 10 * alone, f"{beside:.0f} s, and {alone:.1f} s before"
    wait_for(lambda: time.monotonic() - begun > 30, 300, "half a minute has passed")
    tried = [one for one in audit.requests(USER) if one.namespace == stuck.namespace]
    most = 8 * 12 * (time.monotonic() - begun) / 30
    assert len(tried) < most, f"{len(tried)} requests, and at most {most:.0f} of eight jobs"
    assert operator.metric('slipway_reconcile_total{kind="TrainingJob",result="error"') == 0
    stuck.delete_all("tj")


def test_a_source_of_a_mebibyte_is_taken(operator: OperatorProcess, kubectl: Kubectl) -> None:
    source = play.source()
    kubectl.create([source, play.training_job("small")])
    play.wait_object(kubectl, "job", "small-train")
    source["data"]["more"] = "x" * (MIB - 4096)
    kubectl.run("delete", "configmap", "source")
    kubectl.create([source, play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert operator.status("/healthz") == 200
    assert operator.memory() < 150


@pytest.mark.usefixtures("controllers")
def test_a_service_account_that_is_deleted_is_told_and_its_return_lets_pods_run(
    begin: Begin, kubectl: Kubectl
) -> None:
    kubectl.delete("serviceaccount", "default")
    job = begin()

    def told() -> Object | None:
        status = (kubectl.get("tj", job.name) or {}).get("status") or {}
        found = [one for one in status.get("conditions") or () if one["type"] == "Running"]
        return status if found and "serviceaccount" in found[0]["message"] else None

    status = wait_for(told, 120, "it is told", job.report)
    assert status["reason"] == "PodsRefused"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    kubectl.create(account)
    job.run()
    job.phase("Running")


@pytest.mark.usefixtures("controllers")
def test_a_volume_that_nobody_provides_is_told_in_the_schedulers_words(
    begin: Begin, kubectl: Kubectl
) -> None:
    job = begin()
    live = play.wait_object(kubectl, "job", "job-train")
    selector = f"batch.kubernetes.io/job-name={live['metadata']['name']}"
    pods = wait_for(lambda: kubectl.list("pods", selector), 120, "there are pods", job.report)
    why = f"0/3 nodes are available: {UNBOUND}. {'x' * 30000}"
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    for pod in pods:
        said = {"phase": "Pending", "conditions": [{**condition, "message": why}]}
        kubectl.patch("pod", f"{pod['metadata']['name']}/status", {"status": said})

    def told() -> bool:
        status = (kubectl.get("tj", job.name) or {}).get("status") or {}
        return status.get("reason") == "Unschedulable" and UNBOUND in str(status)

    wait_for(told, 120, "it is told", job.report)
