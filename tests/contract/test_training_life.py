"""What the API server says of the fields about a job's life: bounds, contradictions, changes."""

from typing import Any

import pytest

from tests.contract.namespaces import restricted_namespace
from tests.contract.refusals import refusal, refused_change
from tests.harness import Kubectl, KubectlError, TestControlPlane

pytestmark = pytest.mark.contract
ELASTIC = {"minNodes": 1, "maxNodes": 3}
ON_REASON = {"onReasons": ["OutOfMemory"], "action": "Fail"}
RULE = {"onExitCodes": {"values": [3]}, "action": "Fail"}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    return restricted_namespace(control_plane, "training-life")


def job(name: str = "job", **fields: Any) -> dict[str, Any]:
    spec = {"source": {"configMap": {"name": "source"}}, "entrypoint": "train.py", **fields}
    head = {"apiVersion": "slipway.dev/v1alpha1", "kind": "TrainingJob"}
    return {**head, "metadata": {"name": name}, "spec": spec}


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a policy of no kind": (
        {"restart": {"policy": "Always"}},
        'supported values: "Group", "Pod", "Never"',
    ),
    "restarts that never happen": (
        {"restart": {"policy": "Never", "maxRestarts": 1}},
        "remove restart.maxRestarts and restart.rules",
    ),
    "a back-off limit that never counts": (
        {"restart": {"policy": "Never"}, "backoffLimit": 1},
        "remove backoffLimit, or write another restart.policy than Never",
    ),
    "two names for one number": (
        {"restart": {"maxRestarts": 1}, "backoffLimit": 1},
        "write restart.maxRestarts or backoffLimit, which mean the same, not both",
    ),
    "a negative number of restarts": (
        {"restart": {"maxRestarts": -1}},
        "greater than or equal to 0",
    ),
    "a rule about two things": (
        {"restart": {"rules": [{**RULE, "onDisruption": True}]}},
        "write exactly one of onExitCodes, onReasons and onDisruption in each rule",
    ),
    "a rule about nothing": (
        {"restart": {"rules": [{"action": "Fail"}]}},
        "write exactly one of onExitCodes, onReasons and onDisruption in each rule",
    ),
    "a rule without an action": ({"restart": {"rules": [{"onDisruption": True}]}}, "action"),
    "an action of no kind": (
        {"restart": {"rules": [{"onDisruption": True, "action": "Ignore"}]}},
        'supported values: "Restart", "RestartAndIgnoreMaxRestarts", "Fail"',
    ),
    "the exit code of success": (
        {"restart": {"rules": [{"onExitCodes": {"values": [0]}, "action": "Fail"}]}},
        "greater than or equal to 1",
    ),
    "a reason of no kind": (
        {"restart": {"rules": [{"onReasons": ["Boredom"], "action": "Fail"}]}},
        "Unsupported value",
    ),
    "a reason where Kubernetes restarts": (
        {"restart": {"policy": "Pod", "rules": [ON_REASON]}},
        "write onExitCodes instead of onReasons",
    ),
    "a reason in an elastic job": (
        {"elastic": ELASTIC, "restart": {"rules": [ON_REASON]}},
        "write onExitCodes instead of onReasons",
    ),
    "an elastic group that restarts as one": (
        {"elastic": ELASTIC, "restart": {"policy": "Group"}},
        "remove restart.policy or write Pod",
    ),
    "elastic bounds the wrong way round": (
        {"nodes": 2, "elastic": {"minNodes": 3, "maxNodes": 2}},
        "write an elastic.minNodes that is at most elastic.maxNodes",
    ),
    "a size out of the elastic bounds": (
        {"nodes": 4, "elastic": ELASTIC},
        "write nodes between elastic.minNodes and elastic.maxNodes",
    ),
    "an elastic job in a queue": (
        {"elastic": ELASTIC, "queueName": "team"},
        "remove elastic or queueName",
    ),
    "an elastic job without torchrun": (
        {"elastic": ELASTIC, "framework": "plain"},
        "remove elastic, or write entrypoint or module under framework torchrun",
    ),
    "a queue of no name": ({"queueName": "Team A"}, "write the name of a Kueue LocalQueue"),
    "a gang of no kind": (
        {"gang": "Crew"},
        'supported values: "None", "Coscheduling", "Volcano", "Workload"',
    ),
    "a manager without a domain": (
        {"managedBy": "me"},
        "write the controller's name with its domain, such as kueue.x-k8s.io/multikueue",
    ),
    "a clean-up of no kind": (
        {"cleanPodPolicy": "Some"},
        'supported values: "None", "Running", "All"',
    ),
    "no time to wait": ({"queueDeadlineSeconds": 0}, "greater than or equal to 1"),
    "no time for progress": ({"progressDeadlineSeconds": 0}, "greater than or equal to 1"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_job_is_refused_with_a_message_for(case: str, kubectl: Kubectl) -> None:
    fields, message = REFUSALS[case]
    assert message in refusal(kubectl, job(**fields))


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the size of a fixed group": (
        {"nodes": 2},
        {"nodes": 3},
        "nodes cannot change after creation unless the job is elastic",
    ),
    "the restart policy": (
        {},
        {"restart": {"policy": "Pod"}},
        "restart.policy cannot change after creation",
    ),
    "the elastic bounds": (
        {"elastic": ELASTIC},
        {"elastic": {**ELASTIC, "maxNodes": 9}},
        "elastic cannot change after creation",
    ),
    "the queue": ({"queueName": "a"}, {"queueName": "b"}, "queueName cannot change"),
    "the manager": ({}, {"managedBy": "example.com/me"}, "managedBy cannot be added or removed"),
    "the gang": ({}, {"gang": "Volcano"}, "gang cannot change after creation"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_running_group_is_built_on_cannot_change(case: str, kubectl: Kubectl) -> None:
    before, after, message = CHANGES[case]
    name = case.replace(" ", "-")
    kubectl.apply(job(name, **before))
    assert message in refused_change(kubectl, job(name, **{**before, **after}))


def test_an_elastic_job_is_scaled_by_kubectl_scale_within_its_bounds(kubectl: Kubectl) -> None:
    kubectl.apply(job("scaled", nodes=2, elastic=ELASTIC))
    kubectl.run("scale", "tj/scaled", "--replicas=3")
    assert (kubectl.get("tj", "scaled") or {})["spec"]["nodes"] == 3
    with pytest.raises(KubectlError, match="write nodes between elastic"):
        kubectl.run("scale", "tj/scaled", "--replicas=4")


def test_a_job_of_a_fixed_size_is_not_scaled(kubectl: Kubectl) -> None:
    kubectl.apply(job("fixed", nodes=2))
    with pytest.raises(KubectlError, match="unless the job is elastic"):
        kubectl.run("scale", "tj/fixed", "--replicas=3")
