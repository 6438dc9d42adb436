"""A ModelDeployment's children and statuses on a real API server: it takes what is planned."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.kube.writes.compare import contains
from slipway.manifests import MANAGER
from tests.contract.namespaces import restricted_namespace
from tests.harness import Kubectl, KubectlError, TestControlPlane
from tests.unit.serving.world import (
    JOB_MODEL,
    World,
    fetch_word,
    init_status,
    terminated,
    training_job,
)

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
NAMESPACE = "serving-children"
GOLDEN = sorted((ROOT / "tests/unit/serving/golden").glob("*.yaml"))
OWN = (f"--field-manager={MANAGER}", "--validate=strict")


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    return restricted_namespace(control_plane, NAMESPACE)


@pytest.fixture(autouse=True)
def _empty(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl.delete_all(
        *("deployments", "services", "secrets", "configmaps", "hpa", "pdb", "pods", "mdep")
    )


def here(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest in this module's namespace."""
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": NAMESPACE}}


def children(path: Path) -> list[dict[str, Any]]:
    return [here(one) for one in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader)]


def live(kubectl: Kubectl, manifest: dict[str, Any]) -> dict[str, Any]:
    found = kubectl.get(manifest["kind"], manifest["metadata"]["name"])
    assert found is not None
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_api_server_takes_every_child_and_keeps_all_that_was_asked(
    kubectl: Kubectl, path: Path
) -> None:
    kubectl.apply(children(path), *OWN)
    for manifest in children(path):
        if manifest["kind"] != "Secret":
            assert contains(live(kubectl, manifest), manifest), manifest["kind"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_applying_again_changes_nothing(kubectl: Kubectl, path: Path) -> None:
    kubectl.apply(children(path), *OWN)
    before = [live(kubectl, one)["metadata"]["resourceVersion"] for one in children(path)]
    kubectl.apply(children(path), *OWN)
    after = [live(kubectl, one)["metadata"]["resourceVersion"] for one in children(path)]
    assert before == after


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_pod_is_let_into_a_restricted_namespace(kubectl: Kubectl, path: Path) -> None:
    (workload,) = [one for one in children(path) if one["kind"] == "Deployment"]
    template = workload["spec"]["template"]
    meta = {**template["metadata"], "name": "web"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    kubectl.create(pod)


def carry_out(kubectl: Kubectl, world: World) -> None:
    """Do what a plan asks for, as the operator does it."""
    made = world.reconcile()
    kubectl.apply([here(one) for one in made.apply], *OWN)
    for patch in made.patch:
        body = yaml.safe_dump(dict(patch.body))
        kind, manager = patch.ref.kind, f"--field-manager={MANAGER}"
        kubectl.run("patch", kind, patch.ref.name, "--type=merge", f"--patch={body}", manager)


def replicas(kubectl: Kubectl) -> int:
    found = kubectl.get("deployment", "web")
    assert found is not None
    return int(found["spec"]["replicas"])


def test_a_changed_template_leaves_the_replicas_as_the_autoscaler_set_them(
    kubectl: Kubectl,
) -> None:
    world = World(replicas=4)
    carry_out(kubectl, world)
    assert replicas(kubectl) == 4
    world.change(autoscaling={"minReplicas": 2, "maxReplicas": 9}, server={"workers": 2})
    carry_out(kubectl, world)
    assert replicas(kubectl) == 4
    kubectl.run("scale", "deployment/web", "--replicas=7")
    world.workload["spec"]["replicas"] = 7
    world.change(server={"workers": 3})
    carry_out(kubectl, world)
    assert replicas(kubectl) == 7
    world.change(autoscaling=None, replicas=3)
    carry_out(kubectl, world)
    assert replicas(kubectl) == 3


def test_every_status_is_one_that_the_kind_allows(kubectl: Kubectl) -> None:
    world = World(JOB_MODEL)
    statuses = []
    for phase in ("Pending", "Succeeded"):
        world.job = training_job(phase)
        world.reconcile()
        statuses.append(world.status)
    world.add_pod(**init_status("fetch", state=terminated(1, fetch_word("DigestMismatch"))))
    for available in (0, 1):
        world.pods_are(1, available)
        world.reconcile()
        statuses.append(world.status)
    deployment: dict[str, Any] = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "web"},
        "spec": world.spec,
    }
    kubectl.apply(deployment)
    for status in statuses:
        written = {**copy.deepcopy(deployment), "status": status}
        kubectl.apply(written, "--subresource=status", "--validate=strict")
        assert live(kubectl, deployment)["status"] == status


def test_variables_that_the_operator_sets_are_refused_with_a_word(kubectl: Kubectl) -> None:
    spec = {**World().spec, "server": {"env": [{"name": "TS_CONFIG_FILE", "value": "/tmp/x"}]}}
    deployment = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }
    with pytest.raises(KubectlError, match="remove the variables that the operator sets itself"):
        kubectl.apply(deployment)
