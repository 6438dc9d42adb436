"""Writes on a real API server: what must be new takes nothing over, a status stays its object's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import AlreadyExists, NotFound, Rejected
from slipway.kube.resources import resource_of
from slipway.manifests import MANAGER
from slipway.plan import Manifest, ObjectRef
from tests.contract.namespaces import CRDS
from tests.contract.operator.play import training_job
from tests.harness import Kubectl, TestControlPlane

pytestmark = pytest.mark.contract
NAMESPACE = "creation"
POD = {"containers": [{"name": "main", "image": "image"}]}
SELECTOR = {"matchLabels": {"app": "one"}}
TEMPLATE = {"metadata": {"labels": {"app": "one"}}, "spec": POD}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "one"}
SPECS: dict[tuple[str, str], Manifest] = {
    ("v1", "Service"): {"spec": {"ports": [{"port": 80}]}},
    ("v1", "ConfigMap"): {"data": {"key": "value"}, "immutable": True},
    ("batch/v1", "Job"): {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
    ("apps/v1", "Deployment"): {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    ("policy/v1", "PodDisruptionBudget"): {"spec": {"maxUnavailable": 1, "selector": SELECTOR}},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "spec": {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": TARGET}
    },
}
KINDS = pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind[1])


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    admin = control_plane.kubectl
    admin.run("create", "namespace", NAMESPACE)
    admin.apply(CRDS)
    admin.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
    return Kubectl(control_plane.kubeconfig, NAMESPACE)


@pytest.fixture
async def client(control_plane: TestControlPlane) -> AsyncIterator[Client]:
    connection = await connect(control_plane.kubeconfig, 2, lambda *_: None)
    yield Client(connection)
    await connection.close()


def manifest(kind: tuple[str, str], name: str, **labels: str) -> Manifest:
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": meta, **SPECS[kind]}


@KINDS
async def test_a_new_object_is_made_as_an_apply_makes_it(
    kind: tuple[str, str], client: Client, kubectl: Kubectl
) -> None:
    made = await client.apply_new(manifest(kind, "new", one="1", two="2"))
    assert "deletionGracePeriodSeconds" not in made["metadata"]
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == (MANAGER, "Apply")
    applied = await client.apply(manifest(kind, "new", one="1"))
    assert applied["metadata"]["labels"] == {"one": "1"}
    assert applied["metadata"]["uid"] == made["metadata"]["uid"]


@KINDS
async def test_an_object_that_is_there_stays_as_it_is(
    kind: tuple[str, str], client: Client, kubectl: Kubectl
) -> None:
    kubectl.create(manifest(kind, "there"))
    before: Any = kubectl.get(kind[1], "there")
    with pytest.raises(AlreadyExists):
        await client.apply_new(manifest(kind, "there", ours="1"))
    assert kubectl.get(kind[1], "there") == before


@KINDS
@pytest.mark.parametrize("cascade", ["background", "foreground"])
async def test_an_object_that_goes_stays_as_it_is(
    cascade: str, kind: tuple[str, str], client: Client, kubectl: Kubectl
) -> None:
    name = f"going-{cascade}"
    going = manifest(kind, name)
    going["metadata"]["finalizers"] = ["slipway.dev/test"]
    kubectl.create(going)
    kubectl.run("delete", kind[1], name, f"--cascade={cascade}", "--wait=false")
    before: Any = kubectl.get(kind[1], name)
    with pytest.raises(AlreadyExists):
        await client.apply_new(manifest(kind, name, ours="1"))
    assert kubectl.get(kind[1], name) == before
    patch = '{"metadata":{"finalizers":null}}'
    kubectl.run("patch", kind[1], name, "--type=merge", f"--patch={patch}")


async def test_a_new_object_that_is_refused_is_told_as_such(
    client: Client, kubectl: Kubectl
) -> None:
    bad = {**manifest(("v1", "Service"), "bad"), "spec": {"ports": []}}
    with pytest.raises(Rejected):
        await client.apply_new(bad)


async def test_what_is_created_is_ours_to_patch_and_never_takes_over(
    client: Client, kubectl: Kubectl
) -> None:
    kind = ("batch/v1", "Job")
    made = await client.create_new(manifest(kind, "once", one="1"))
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == (MANAGER, "Update")
    with pytest.raises(AlreadyExists):
        await client.create_new(manifest(kind, "once", other="1"))
    changed = await client.patch(ObjectRef.of(made), {"metadata": {"labels": {"one": None}}})
    assert "one" not in changed["metadata"].get("labels", {})
    bad = {**manifest(kind, "bad"), "spec": {"template": {"spec": POD}}}
    with pytest.raises(Rejected):
        await client.create_new(bad)


async def test_a_status_is_replaced_as_a_whole_and_only_of_the_object_that_is_meant(
    client: Client, kubectl: Kubectl
) -> None:
    kubectl.create(training_job())
    live: Any = kubectl.get("trainingjob", "job")
    ref, uid = ObjectRef.of(live), live["metadata"]["uid"]
    before = {**live, "status": {"phase": "Running", "restarts": 1, "sourceRevision": "abc"}}
    path = resource_of(ref).path(ref.namespace, ref.name, "status")
    meta = {"name": ref.name, "namespace": ref.namespace, "uid": uid}
    await client.request(
        "patch",
        path,
        {**before, "metadata": meta, "spec": {}},
        params={"fieldManager": MANAGER, "force": "true"},
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    written = await client.write_status(ref, uid, {"phase": "Succeeded"})
    assert written["status"]["phase"] == "Succeeded"
    assert "sourceRevision" not in written["status"]
    assert written["spec"] == live["spec"]
    with pytest.raises(Rejected):
        await client.write_status(ref, "another", {"phase": "Failed"})
    assert (kubectl.get("trainingjob", "job") or {})["status"] == written["status"]
    kubectl.run("delete", "trainingjob", "job")
    with pytest.raises(NotFound):
        await client.write_status(ref, uid, {"phase": "Failed"})
