"""Rollouts against a real API server: promotion, rollback, restarts, and what is left alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.contract.operator.test_life import settle
from tests.harness import Kubectl, Object, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.one_operator]
STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
A_QUARTER = "a quarter goes to the candidate"
CANARY = {"strategy": "Canary", "canary": {"steps": STEPS}, "scaleDownDelaySeconds": 1}

TRACEBACK = "\x1b[31mTraceback\nValueError: no vocabulary for s3://user:secret@bucket/key?sig=abc"


def deployment(version: str, **spec: Any) -> Object:
    """Return a ModelDeployment of four pods with a revision for each version."""
    made = play.model_deployment("model", replicas=4, rollout=CANARY, **spec)
    del made["spec"]["autoscaling"]
    made["spec"]["server"] = {"env": [{"name": "VERSION", "value": version}]}
    return made


def started(start_operator: Callable[..., OperatorProcess]) -> OperatorProcess:
    operator = start_operator(SLIPWAY_LEADER_ELECTION="false")
    operator.wait_until_ready()
    return operator


def rollout(kubectl: Kubectl) -> Object:
    found = (kubectl.get("modeldeployment", "model") or {}).get("status", {})
    return found.get("rollout") or {}


def until(
    kubectl: Kubectl, holds: Callable[[Object], Any], what: str, bring_up: str = ""
) -> Object:
    """Return the rollout's status once something holds of it.

    Meanwhile the pods of a Deployment to ``bring_up`` come up, whatever it is told.
    """

    def probe() -> Object | None:
        if bring_up:
            play.bring_up(kubectl, bring_up)
        found = rollout(kubectl)
        return found if found and holds(found) else None

    return wait_for(probe, 120, what, lambda: json.dumps(rollout(kubectl), indent=1))


def at_weight(weight: int) -> Callable[[Object], bool]:
    def holds(found: Object) -> bool:
        candidate = found.get("candidate") or {}
        return found["phase"] == "Paused" and candidate.get("weight") == weight

    return holds


def serve(kubectl: Kubectl, version: str) -> str:
    """Let a first revision serve; return its name."""
    kubectl.apply(deployment(version))
    play.wait_object(kubectl, "deployment", "model")
    _told(kubectl, "model", 4)
    done = "the first revision serves"
    found = until(kubectl, lambda it: it["phase"] == "Complete", done, bring_up="model")
    return str(found["stableRevision"])


def _told(kubectl: Kubectl, name: str, count: int) -> None:
    def probe() -> bool:
        live = kubectl.get("deployment", name)
        return bool(live and live["spec"]["replicas"] == count)

    wait_for(probe, 120, f"{name} is told {count} replicas")


def track(kubectl: Kubectl) -> str:
    service = kubectl.get("service", "model") or {}
    return str(service["spec"]["selector"]["slipway.dev/track"])


def annotate(kubectl: Kubectl, request: str, value: str) -> None:
    note = f"slipway.dev/rollout-{request}={value}"
    kubectl.run("annotate", "--overwrite", "mdep", "model", note)


def test_a_canary_is_promoted_though_the_operator_is_killed_at_every_step(
    start_operator: Callable[..., OperatorProcess], kubectl: Kubectl
) -> None:
    operator = started(start_operator)
    serve(kubectl, "1")
    pod = play.serving_pod(kubectl, "model")
    stable = (kubectl.get("deployment", "model") or {})["metadata"]["generation"]
    kubectl.apply(deployment("2"))
    play.wait_object(kubectl, "deployment", "model-green")
    operator.kill()
    play.bring_up(kubectl, "model-green")
    operator = started(start_operator)
    found = until(kubectl, at_weight(25), A_QUARTER, bring_up="model-green")
    revision = found["candidate"]["revision"]
    notes = (kubectl.get("pod", pod) or {})["metadata"]["annotations"]
    assert notes["slipway.dev/routes"]
    annotate(kubectl, "promote", f"{revision}/1")
    _told(kubectl, "model-green", 3)
    operator.kill()
    play.bring_up(kubectl, "model-green")
    operator = started(start_operator)
    until(kubectl, at_weight(75), "three quarters go to the candidate", bring_up="model-green")
    assert (kubectl.get("deployment", "model") or {})["metadata"]["generation"] == stable
    assert track(kubectl) == "blue"
    annotate(kubectl, "promote", revision)
    _told(kubectl, "model-green", 4)
    promoted = "it is promoted"
    done = until(
        kubectl, lambda it: it["stableRevision"] == revision, promoted, bring_up="model-green"
    )
    assert done["activeSlot"] == "green"
    assert track(kubectl) == "green"
    _told(kubectl, "model", 0)


def test_an_abort_goes_back_and_is_told_with_an_event(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    stable = serve(kubectl, "1")
    kubectl.apply(deployment("2"))
    play.wait_object(kubectl, "deployment", "model-green")
    found = until(kubectl, at_weight(25), A_QUARTER, bring_up="model-green")
    annotate(kubectl, "abort", found["candidate"]["revision"])
    back = until(kubectl, lambda it: it["phase"] == "RolledBack", "it is rolled back")
    assert (back["stableRevision"], back["stableWeight"]) == (stable, 100)
    _told(kubectl, "model-green", 0)
    events = wait_for(
        lambda: [one for one in kubectl.list("events") if one["reason"] == "Aborted"],
        120,
        "an event tells it",
        operator.log.read_text,
    )
    assert found["candidate"]["revision"] in events[0]["message"]
    assert track(kubectl) == "blue"


def test_what_a_candidate_that_does_not_load_said_last_outlives_its_pods(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    stable = serve(kubectl, "1")
    kubectl.apply(deployment("2"))
    play.wait_object(kubectl, "deployment", "model-green")
    play.bring_up(kubectl, "model-green", 0)
    pod = play.serving_pod(kubectl, "model-green")
    word = {"reason": "ModelLoadFailed", "message": "It cannot be loaded.", "logTail": TRACEBACK}
    play.fail_server(kubectl, pod, word, restarts=3)
    back = until(kubectl, lambda it: it["phase"] == "RolledBack", "it is rolled back")
    assert (back["stableRevision"], back["failed"]["reason"]) == (stable, "ModelLoadFailed")
    _told(kubectl, "model-green", 0)
    kubectl.delete("pod", pod, grace=0)
    reconciled = operator.metric("slipway_reconcile_total")
    kubectl.run("annotate", "mdep", "model", "touched=1")
    wait_for(
        lambda: operator.metric("slipway_reconcile_total") > reconciled,
        120,
        "it is looked at again",
    )
    failed = rollout(kubectl)["failed"]
    assert failed["log"].startswith("The server ended: Error, exit code 143")
    assert failed["log"].endswith("ValueError: no vocabulary for s3://bucket/key")


def test_applying_the_same_again_in_mid_rollout_changes_nothing(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    audit = control_plane.audit(kubectl.namespace)
    serve(kubectl, "1")
    kubectl.apply(deployment("2"))
    play.wait_object(kubectl, "deployment", "model-green")
    until(kubectl, at_weight(25), A_QUARTER, bring_up="model-green")
    before = {one["metadata"]["name"]: one for one in kubectl.list("deployments")}
    reconciled = operator.metric("slipway_reconcile_total")
    kubectl.apply(deployment("2"))
    kubectl.run("annotate", "mdep", "model", "touched=1")
    wait_for(
        lambda: operator.metric("slipway_reconcile_total") > reconciled,
        120,
        "it is looked at again",
    )
    settle(operator, audit)
    after = {one["metadata"]["name"]: one for one in kubectl.list("deployments")}
    assert before == after
