"""What the API server itself refuses of a rollout, and what it says then."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.namespaces import install_kinds
from tests.contract.refusals import refusal
from tests.harness import Kubectl
from tests.harness.control_plane import TestControlPlane

ROOT = Path(__file__).parents[2]

STEPS = {"steps": [{"setWeight": 10}]}
MATCH = {"match": [{"headers": [{"name": "x-group", "exact": "beta"}]}]}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    kubectl = control_plane.kubectl
    install_kinds(kubectl)
    return kubectl


def deployment(rollout: dict[str, Any], model: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a ModelDeployment with a rollout."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "model"},
        "spec": {"model": model or {"trainingJob": {"name": "job"}}, "rollout": rollout},
    }


def canary(**fields: Any) -> dict[str, Any]:
    return {"strategy": "Canary", "canary": fields}


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a canary without steps": ({"strategy": "Canary"}, "write rollout.canary, with steps"),
    "steps with another strategy": ({"canary": STEPS}, "only with rollout.strategy Canary"),
    "steps of both kinds": (
        canary(**STEPS, autoSteps={"stepWeight": 10, "interval": "1m"}),
        "write exactly one of rollout.canary.steps and rollout.canary.autoSteps",
    ),
    "a step that does two things": (
        canary(steps=[{"setWeight": 10, "pause": {}}]),
        "write exactly one of setWeight, pause, setReplicas and analysis in each step",
    ),
    "more than all": (canary(steps=[{"setWeight": 101}]), "100"),
    "a pause without a unit": (
        canary(steps=[{"pause": {"duration": "90"}}]),
        "write a time from 1s to 720h in hours, minutes and seconds",
    ),
    "no candidate pods": (canary(steps=[{"setReplicas": 0}]), "greater than or equal to 1"),
    "a last share below the first": (
        canary(autoSteps={"stepWeight": 60, "interval": "1m", "maxWeight": 50}),
        "write a maxWeight that is not below stepWeight",
    ),
    "a cookie and a header": (
        canary(**STEPS, sticky={"cookie": {}, "header": "x-user"}),
        "write exactly one of cookie and header",
    ),
    "a header that is none": (
        canary(**STEPS, sticky={"header": "x user"}),
        "write the name of an HTTP header or a cookie",
    ),
    "an A/B test of nobody": ({"strategy": "ABTest"}, "write rollout.abTest, with a match"),
    "a match of nothing": (
        {"strategy": "ABTest", "abTest": {"match": [{}]}},
        "write at least one of headers and cookies in each match",
    ),
    "two ways to compare": (
        {
            "strategy": "ABTest",
            "abTest": {"match": [{"headers": [{"name": "a", "exact": "b", "prefix": "c"}]}]},
        },
        "write at most one of exact, prefix and regex",
    ),
    "a mirrored share of nothing": (
        {"strategy": "Shadow", "shadow": {"weight": 0}},
        "greater than or equal to 1",
    ),
    "an abort of everything": ({"abort": "all"}, "write the name of a revision"),
    "a step that is none": (
        {"promote": "0123456789/no"},
        "write REVISION to skip all steps, or REVISION/STEP",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_rollout_is_refused_with_a_message_for(case: str, kubectl: Kubectl) -> None:
    rollout, message = REFUSALS[case]
    assert message in refusal(kubectl, deployment(rollout))


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ({}, "write at least one of matchLabels and matchExpressions"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
            "write values with the operators In and NotIn",
        ),
    ],
)
def test_a_selector_is_refused_with_a_message(
    selector: dict[str, Any], message: str, kubectl: Kubectl
) -> None:
    manifest = deployment({}, {"trainingJobSelector": selector})
    assert message in refusal(kubectl, manifest)


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"model": "iris"}},
        {"matchExpressions": [{"key": "model", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "model", "operator": "In", "values": ["iris"]}]},
    ],
)
def test_a_selector_is_accepted(selector: dict[str, Any], kubectl: Kubectl) -> None:
    kubectl.apply(deployment({}, {"trainingJobSelector": selector}))


@pytest.mark.parametrize(
    "rollout",
    [
        canary(**STEPS, sticky={"cookie": {}}),
        canary(autoSteps={"stepWeight": 10, "interval": "1h30m"}),
        {"strategy": "BlueGreen"},
        {"strategy": "BlueGreen", "blueGreen": {"autoPromote": False, "previewReplicas": 1}},
        {"strategy": "Shadow"},
        {"strategy": "ABTest", "abTest": MATCH},
        {"paused": True, "abort": "0123456789", "promote": "0123456789/3", "retry": "again"},
    ],
)
def test_a_rollout_is_accepted(rollout: dict[str, Any], kubectl: Kubectl) -> None:
    kubectl.apply(deployment(rollout))
