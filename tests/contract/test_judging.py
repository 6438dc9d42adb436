"""The fields by which a new revision is judged, as the API server takes and refuses them."""

import json
from typing import Any

import pytest

from tests.contract.namespaces import restricted_namespace
from tests.harness import Kubectl, KubectlError, TestControlPlane

pytestmark = pytest.mark.contract

MODEL = {"uri": "s3://models/a.mar", "sha256": "a" * 64}
SMOKE: dict[str, Any] = {
    "request": {"inputs": [[5.1, "a", None, True]]},
    "expected": [{"label": "cat", "score": 0.25}],
    "tolerance": "1e-3",
}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    return restricted_namespace(control_plane, "judging")


def apply(kubectl: Kubectl, **rollout: Any) -> dict[str, Any]:
    """Apply a ModelDeployment; returns its ``spec.rollout`` as it was stored."""
    manifest = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "judged"},
        "spec": {"model": MODEL, "rollout": rollout},
    }
    kubectl.run("apply", "-f", "-", stdin=json.dumps(manifest))
    found: dict[str, Any] = (kubectl.get("mdep", "judged") or {})["spec"]["rollout"]
    return found


def test_a_smoke_tests_json_is_kept_as_it_is(kubectl: Kubectl) -> None:
    assert apply(kubectl, smoke=SMOKE)["smoke"] == SMOKE
    assert apply(kubectl, smoke={"request": "text"})["smoke"] == {"request": "text"}


@pytest.mark.parametrize("tolerance", ["-1", "much", "0.1.2"])
def test_a_tolerance_that_is_no_number_is_refused(kubectl: Kubectl, tolerance: str) -> None:
    with pytest.raises(KubectlError, match="tolerance"):
        apply(kubectl, smoke={**SMOKE, "tolerance": tolerance})


def test_a_smoke_test_without_a_request_is_refused(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match="request: Required value"):
        apply(kubectl, smoke={"expected": 1})
