"""A TrainingJob's children and statuses on a real API server: it takes what the planner makes."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.namespaces import restricted_namespace
from tests.harness import Kubectl, KubectlError, TestControlPlane
from tests.harness.waiting import wait_for
from tests.unit.training.simulation import PACKAGE, Cluster, packaged, spec, trained
from tests.unit.training.stages.test_gates import MISSED, judged

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
NAMESPACE = "training-children"
CLASSES: list[dict[str, Any]] = [
    {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
    },
    {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
    },
]
"""The classes that the golden jobs name: the API server looks for them."""
GOLDEN = sorted((ROOT / "tests/unit/training/golden").glob("*.yaml"))


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    kubectl = restricted_namespace(control_plane, NAMESPACE)
    kubectl.apply(CLASSES)
    wait_for(lambda: knows_the_priority(kubectl), 120, "pods may have the priority")
    return kubectl


def knows_the_priority(kubectl: Kubectl) -> bool:
    """Tell whether the API server has heard of the class, which it looks for in its own memory."""
    spec = {"priorityClassName": "high", "containers": [{"name": "main", "image": "image"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec}
    try:
        kubectl.run("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    except KubectlError as error:
        return "no PriorityClass" not in str(error)
    return True


@pytest.fixture(autouse=True)
def _empty(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl.delete_all("jobs", "services", "secrets", "pods", "tj")


def children(path: Path) -> list[dict[str, Any]]:
    found = list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    for manifest in found:
        manifest["metadata"]["namespace"] = NAMESPACE
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_api_server_takes_every_child_as_it_is(kubectl: Kubectl, path: Path) -> None:
    kubectl.apply(children(path))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_pod_is_let_into_a_restricted_namespace(kubectl: Kubectl, path: Path) -> None:
    for manifest in children(path):
        if manifest["kind"] == "Job":
            template = manifest["spec"]["template"]
            meta = {**template["metadata"], "name": manifest["metadata"]["name"]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
            kubectl.create(pod)


def test_a_live_job_takes_the_changes_that_a_spec_may_make(kubectl: Kubectl) -> None:
    elastic = {"minNodes": 1, "maxNodes": 3, "maxRestarts": 1}
    cluster = Cluster(spec(nodes=2, activeDeadlineSeconds=60, elastic=elastic))
    job = next(one for one in cluster.plan().apply if one["kind"] == "Job")
    job["metadata"]["namespace"] = NAMESPACE
    kubectl.apply(job)
    cluster.settle()
    cluster.change(suspend=True)
    assert patched(kubectl, cluster)["suspend"] is True
    cluster.reconcile()
    cluster.settle()
    cluster.change(suspend=False, backoffLimit=3, activeDeadlineSeconds=None, nodes=3)
    live = patched(kubectl, cluster)
    assert (live["suspend"], live["backoffLimit"]) == (False, 9)
    assert (live["completions"], live["parallelism"]) == (3, 3)
    assert "activeDeadlineSeconds" not in live


def patched(kubectl: Kubectl, cluster: Cluster) -> dict[str, Any]:
    """Send the patch that is planned to the API server, and return the Job's spec after it."""
    (patch,) = cluster.plan().patch
    spec: dict[str, Any] = kubectl.patch("job", patch.ref.name, dict(patch.body))["spec"]
    return spec


def lives() -> list[Cluster]:
    """Return one life that ends well, one that does not, and one whose package is rejected."""
    rejected = judged(MISSED)
    good, bad = Cluster(spec(nodes=2, package=PACKAGE)), Cluster(spec())
    for cluster in (good, bad):
        cluster.settle()
        cluster.start()
        cluster.settle()
    report = {"step": 5, "totalSteps": 9, "metrics": {"loss": 1e-7}, "time": 1767268800}
    good.finish_all(message=trained(**report))
    good.settle()
    good.finish_all("package", packaged())
    bad.finish(bad.pods()[0], 1, {"message": "It failed.", "logTail": "x" * 3000})
    for cluster in (good, bad):
        cluster.settle()
    return [good, bad, rejected]


@pytest.mark.parametrize("life", lives(), ids=["succeeded", "failed", "rejected"])
def test_every_status_of_a_life_is_one_that_the_kind_allows(
    kubectl: Kubectl, life: Cluster
) -> None:
    job: dict[str, Any] = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "quick"},
        "spec": life.spec,
    }
    kubectl.apply(job)
    for status in life.statuses:
        written = {**copy.deepcopy(job), "status": status}
        kubectl.apply(written, "--subresource=status", "--validate=strict")
        live = kubectl.get("tj", "quick")
        assert live is not None
        assert live["status"] == status
