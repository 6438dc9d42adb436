"""The operator's process on a real API server: a job's whole life, its cost, and bad moments."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.harness import AuditLog, Kubectl, TestControlPlane
from tests.harness.audit import service_account
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.one_operator]
USER = service_account(NAMESPACE, ACCOUNT)
Start = Callable[..., OperatorProcess]


@pytest.fixture
def audit(control_plane: TestControlPlane, kubectl: Kubectl) -> AuditLog:
    """What is asked for in the test's namespace, or in none."""
    return control_plane.audit(kubectl.namespace)


def refused(audit: AuditLog) -> list[str]:
    """Return what the operator asked for and had no right to."""
    denied = (request for request in audit.requests(USER) if request.code == 403)
    return [f"{request.verb} {request.resource}" for request in denied]


def settle(operator: OperatorProcess, audit: AuditLog, seconds: float = 2.5) -> int:
    """Wait until the operator has had nothing to do, and sent no write, for some seconds.

    Returns how many it sent.
    """
    state = {"writes": -1, "since": 0.0}

    def quiet() -> bool:
        writes = sum(audit.writes(USER).values())
        if writes != state["writes"] or not operator.rests:
            state.update(writes=writes, since=time.monotonic())
        return time.monotonic() - state["since"] > seconds

    wait_for(quiet, 180, "the operator sends no more writes", operator.log.read_text)
    return int(state["writes"])


def soft_writes(begun: float) -> int:
    """Return how many status writes counts of pods alone may have cost: one in ten seconds."""
    return int((time.monotonic() - begun) // 10)


def test_a_job_from_creation_to_package_costs_at_most_ten_writes_and_no_refusal(
    operator: OperatorProcess, kubectl: Kubectl, audit: AuditLog
) -> None:
    begun = time.monotonic()
    kubectl.create([play.source(), play.training_job()])
    play.train(kubectl)
    done = play.package(kubectl)
    assert done["status"]["package"]["sha256"] == play.SHA
    writes = audit.writes(USER)
    assert settle(operator, audit) <= 10 + soft_writes(begun), writes
    assert refused(audit) == []
    assert "annotations" not in done["metadata"]
    assert "finalizers" not in done["metadata"]


def test_a_models_first_rollout_costs_at_most_fifteen_writes_and_no_refusal(
    operator: OperatorProcess, kubectl: Kubectl, audit: AuditLog
) -> None:
    begun = time.monotonic()
    kubectl.create(play.model_deployment())
    play.roll_out(kubectl)
    wait_for(lambda: play.is_true(kubectl, "Ready"), 120, "it is ready", operator.log.read_text)
    writes = audit.writes(USER)
    assert settle(operator, audit) <= 15 + soft_writes(begun), writes
    assert refused(audit) == []
    audit.mark()
    kubectl.run("annotate", "mdep", "model", "touched=1")
    assert settle(operator, audit) == 0


@pytest.mark.usefixtures("operator")
def test_the_stores_credentials_are_in_a_namespace_as_long_as_it_has_jobs(
    kubectl: Kubectl, audit: AuditLog
) -> None:
    kubectl.create([play.source(), play.training_job(), play.training_job("second")])
    for name in ("job-train", "second-train"):
        play.wait_object(kubectl, "job", name)
    assert kubectl.get("secret", "slipway-store")
    kubectl.delete("trainingjob", "job")
    kubectl.delete("trainingjob", "second")
    wait_for(lambda: not kubectl.get("secret", "slipway-store"), 120, "the Secret is gone")
    assert refused(audit) == []


def test_a_finished_job_gets_its_children_not_back_and_costs_nothing_more(
    operator: OperatorProcess, kubectl: Kubectl, audit: AuditLog
) -> None:
    kubectl.create([play.source(), play.training_job()])
    play.train(kubectl)
    play.package(kubectl)
    settle(operator, audit)
    audit.mark()
    kubectl.run("delete", "job", "--all", "--cascade=background")
    assert settle(operator, audit) == 0
    assert kubectl.list("job") == []


def test_what_is_missing_is_a_condition_until_it_comes(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create(play.training_job())

    def reason() -> str:
        status = (kubectl.get("trainingjob", "job") or {}).get("status", {})
        found = {one["type"]: one["reason"] for one in status.get("conditions", ())}
        return str(found.get("Created", ""))

    wait_for(
        lambda: reason() == "SourceNotFound", 120, "the source is missed", operator.log.read_text
    )
    kubectl.create(play.source())
    play.wait_object(kubectl, "job", "job-train")


@pytest.mark.parametrize(
    ("kind", "service", "child"),
    [("trainingjob", "job-train", "job"), ("modeldeployment", "model", "deployment")],
)
def test_an_object_in_the_way_is_told_in_the_columns_and_stays(
    operator: OperatorProcess, kubectl: Kubectl, kind: str, service: str, child: str
) -> None:
    spec = {"ports": [{"port": 1}]}
    taken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": spec}
    kubectl.create([play.source(), taken])
    before = kubectl.get("service", service)
    kubectl.create(play.training_job() if kind == "trainingjob" else play.model_deployment())

    def columns() -> str:
        return kubectl.run("get", kind)

    wait_for(lambda: "NameConflict" in columns(), 120, "the columns say why", columns)
    assert kubectl.get("service", service) == before
    kubectl.delete("service", service)
    mended = time.monotonic()
    play.wait_object(kubectl, "service", service)
    play.wait_object(kubectl, child, service)
    wait_for(lambda: "NameConflict" not in columns(), 120, "it is over", columns)
    assert time.monotonic() - mended < 90, operator.log.read_text()


@pytest.mark.parametrize("moment", ["created", "trained", "packaged"])
def test_an_operator_that_dies_and_comes_back_repeats_no_write(
    moment: str, start_operator: Start, kubectl: Kubectl, audit: AuditLog
) -> None:
    first = start_operator(SLIPWAY_LEADER_ELECTION="false")
    first.wait_until_ready()
    kubectl.create([play.source(), play.training_job()])
    job = play.wait_object(kubectl, "job", "job-train")
    if moment != "created":
        play.train(kubectl)
        play.wait_object(kubectl, "job", "job-package")
    if moment == "packaged":
        play.package(kubectl)
    settle(first, audit)
    first.kill()
    audit.mark()
    second = start_operator(SLIPWAY_LEADER_ELECTION="false")
    second.wait_until_ready()
    assert settle(second, audit) == 0, audit.writes(USER)
    if moment == "created":
        play.train(kubectl)
    if moment != "packaged":
        play.package(kubectl)
    again = kubectl.get("job", "job-train")
    assert again
    assert again["metadata"]["uid"] == job["metadata"]["uid"]


def test_a_job_that_was_created_while_no_operator_ran_is_taken_up(
    start_operator: Start, kubectl: Kubectl
) -> None:
    kubectl.create([play.source(), play.training_job()])
    start_operator(SLIPWAY_LEADER_ELECTION="false")
    play.wait_object(kubectl, "job", "job-train")


def test_events_are_posted_once(operator: OperatorProcess, kubectl: Kubectl) -> None:
    kubectl.create([play.source(), play.training_job()])
    play.train(kubectl)
    play.package(kubectl)

    def posted() -> list[tuple[str, str]]:
        found = kubectl.list("events.events.k8s.io")
        return sorted((event["reason"], event["note"]) for event in found)

    def is_told() -> bool:
        return any(reason == "Succeeded" for reason, _ in posted())

    wait_for(is_told, 120, "the end is told", operator.log.read_text)
    found = posted()
    assert len(set(found)) == len(found) >= 3


def test_namespaces_that_are_not_served_are_left_alone(
    start_operator: Start, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    operator = start_operator(
        SLIPWAY_LEADER_ELECTION="false", SLIPWAY_WATCH_NAMESPACES=f"{kubectl.namespace}, elsewhere"
    )
    operator.wait_until_ready()
    control_plane.kubectl.create([play.source(), play.training_job()])
    kubectl.create([play.source(), play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert control_plane.kubectl.get("job", "job-train") is None
    control_plane.kubectl.run("delete", "tj/job", "configmap/source")


def test_a_kubeconfig_that_is_missing_is_told_in_one_sentence(tmp_path: Path) -> None:
    operator = OperatorProcess.start(tmp_path / "none", tmp_path / "log", {})
    assert operator.process.wait(180) == 1
    (line,) = operator.log.read_text().splitlines()
    assert "--kubeconfig" in line
