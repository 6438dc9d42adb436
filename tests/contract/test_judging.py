"""The fields by which a new revision is judged, as the API server takes and refuses them."""

from typing import Any

import pytest

from tests.contract.namespaces import restricted_namespace
from tests.contract.refusals import refusal
from tests.harness import Kubectl, TestControlPlane

pytestmark = pytest.mark.contract

MODEL = {"uri": "s3://slipway/shared/a.mar", "sha256": "a" * 64}
GOOD: dict[str, Any] = {"name": "good", "successRate": {}, "successCondition": "result >= 0.99"}
SMOKE: dict[str, Any] = {
    "request": {"inputs": [[5.1, "a", None, True]]},
    "expected": [{"label": "cat", "score": 0.25}],
    "tolerance": "1e-3",
}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    return restricted_namespace(control_plane, "judging")


def deployment(**rollout: Any) -> dict[str, Any]:
    """Return a ModelDeployment."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "judged"},
        "spec": {"model": MODEL, "rollout": rollout},
    }


def canary(**analysis: Any) -> dict[str, Any]:
    """Return a ModelDeployment whose canary has one analysis."""
    wanted = {"metrics": [GOOD], **analysis}
    return deployment(strategy="Canary", canary={"steps": [{"analysis": wanted}]})


def apply(kubectl: Kubectl, manifest: dict[str, Any]) -> dict[str, Any]:
    """Apply a ModelDeployment; returns its ``spec.rollout`` as it was stored."""
    kubectl.apply(manifest)
    found: dict[str, Any] = (kubectl.get("mdep", "judged") or {})["spec"]["rollout"]
    return found


def test_a_smoke_tests_json_is_kept_as_it_is(kubectl: Kubectl) -> None:
    assert apply(kubectl, deployment(smoke=SMOKE))["smoke"] == SMOKE
    assert apply(kubectl, deployment(smoke={"request": "text"}))["smoke"] == {"request": "text"}
    by_number = {**SMOKE, "tolerance": 0.001}
    assert apply(kubectl, deployment(smoke=by_number))["smoke"] == by_number


@pytest.mark.parametrize("tolerance", ["-1", "much", "0.1.2", -0.5])
def test_a_tolerance_that_is_no_number_is_refused(kubectl: Kubectl, tolerance: str | float) -> None:
    told = refusal(kubectl, deployment(smoke={**SMOKE, "tolerance": tolerance}))
    assert "tolerance" in told


def test_a_smoke_test_without_a_request_is_refused(kubectl: Kubectl) -> None:
    assert "request: Required value" in refusal(kubectl, deployment(smoke={"expected": 1}))


def analysed(kubectl: Kubectl, **analysis: Any) -> dict[str, Any]:
    """Apply a canary with one analysis; returns the analysis as it was stored."""
    found: dict[str, Any] = apply(kubectl, canary(**analysis))["canary"]["steps"][0]["analysis"]
    return found


def test_an_analysis_judges_at_its_first_measurement_by_default(kubectl: Kubectl) -> None:
    found = analysed(kubectl)
    assert {name: found[name] for name in found if name != "metrics"} == {
        "interval": "60s",
        "count": 1,
        "failureLimit": 0,
        "inconclusiveLimit": 0,
        "minSamples": 50,
    }


@pytest.mark.parametrize(
    "metric",
    [
        {"latency": {"quantile": "0.99"}, "maxRatioToStable": "1.5"},
        {"latency": {"quantile": 0.99}, "maxRatioToStable": 1.5},
        {"latency": {}, "successCondition": "result < 250 && result > 0.5"},
        {"model": {"name": "Score"}, "successCondition": "result<2", "maxRatioToStable": 2},
        {"prometheus": {"query": "x{r='{{revision}}'}"}, "maxRatioToStable": 2},
        {"prometheus": {"query": "x", "address": "http://p:9090"}, "successCondition": "result!=0"},
    ],
)
def test_a_metric_may_be_measured_by(kubectl: Kubectl, metric: dict[str, Any]) -> None:
    stored = analysed(kubectl, metrics=[{"name": "one", **metric}])["metrics"][0]
    assert metric.items() <= stored.items() or "latency" in metric


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no measure": (
        {"metrics": [{"name": "one", "successCondition": "result > 1"}]},
        "write exactly one of successRate, latency, model and prometheus",
    ),
    "two measures": (
        {"metrics": [{**GOOD, "latency": {}}]},
        "write exactly one of successRate, latency, model and prometheus",
    ),
    "nothing to judge by": (
        {"metrics": [{"name": "one", "latency": {}}]},
        "successCondition: Required value",
    ),
    "a condition that is none": (
        {"metrics": [{**GOOD, "successCondition": "result is good"}]},
        "write comparisons of result with numbers, such as result >= 0.99",
    ),
    "revisions that a query does not tell apart": (
        {"metrics": [{"name": "q", "prometheus": {"query": "x"}, "maxRatioToStable": 2}]},
        "write {{revision}} into prometheus.query",
    ),
    "revisions that a query does not tell apart, beside a condition": (
        {
            "metrics": [
                {
                    "name": "q",
                    "prometheus": {"query": "x"},
                    "maxRatioToStable": 1.5,
                    "successCondition": "result > 0",
                }
            ]
        },
        "should match '[{][{]revision[}][}]'",
    ),
    "a negative ratio": (
        {"metrics": [{"name": "q", "latency": {}, "maxRatioToStable": -1}]},
        "should be greater than or equal to 0",
    ),
    "a quantile that is no share": (
        {"metrics": [{"name": "q", "latency": {"quantile": "99"}, "maxRatioToStable": 2}]},
        "should match '^0[.][0-9]*[1-9][0-9]*$'",
    ),
    "a quantile above 1": (
        {"metrics": [{"name": "q", "latency": {"quantile": 99}, "maxRatioToStable": 2}]},
        "should be less than or equal to 1",
    ),
    "a ratio that is no number": (
        {"metrics": [{**GOOD, "maxRatioToStable": "twice"}]},
        "maxRatioToStable",
    ),
    "two metrics of one name": ({"metrics": [GOOD, GOOD]}, "Duplicate value"),
    "no metric": ({"metrics": []}, "should have at least 1 items"),
    "an interval without a unit": ({"interval": "60"}, "such as 1m30s"),
    "an interval of two days": ({"interval": "48h"}, "write a time from 1s to 24h"),
    "an address that is none": (
        {
            "metrics": [
                {
                    "name": "q",
                    "prometheus": {"query": "x", "address": "prometheus:9090"},
                    "successCondition": "result > 0",
                }
            ]
        },
        "write the address of a Prometheus",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_analysis_is_refused_with_a_message_for(case: str, kubectl: Kubectl) -> None:
    analysis, message = REFUSED[case]
    assert message in refusal(kubectl, canary(**analysis))
