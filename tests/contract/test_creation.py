"""Writes on a real API server: what must be new takes nothing over, a status stays its object's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import AlreadyExists, Conflict, NotFound, Rejected
from slipway.kube.resources import resource_of
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.apply import Writer
from slipway.manifests import MANAGER
from slipway.plan import Manifest, ObjectRef, Patch
from tests.contract.namespaces import install_kinds
from tests.contract.operator.play import training_job
from tests.harness import Kubectl, TestControlPlane
from tests.unit.controller.fakes import CREDENTIALS

pytestmark = pytest.mark.contract
NAMESPACE = "creation"
POD: dict[str, Any] = {"containers": [{"name": "main", "image": "image"}]}
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
APPLIED = pytest.mark.parametrize(
    "kind", [kind for kind in SPECS if kind[1] != "Job"], ids=lambda kind: kind[1]
)
"""The kinds that are applied once they are there: a Job is never."""


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    admin = control_plane.kubectl
    admin.run("create", "namespace", NAMESPACE)
    install_kinds(admin)
    return Kubectl(control_plane.kubeconfig, NAMESPACE)


@pytest.fixture
async def client(control_plane: TestControlPlane) -> AsyncIterator[Client]:
    connection = await connect(control_plane.kubeconfig, 2, lambda *_: None)
    yield Client(connection)
    await connection.close()


def manifest(kind: tuple[str, str], name: str, **labels: str) -> Manifest:
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": meta, **SPECS[kind]}


OWNER: dict[str, Any] = {
    "kind": "ModelDeployment",
    "metadata": {"name": "owner", "uid": "uid-of-owner"},
}


def child(kind: tuple[str, str], name: str, **labels: str) -> Manifest:
    made = manifest(kind, name, **labels)
    reference = {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "controller": True,
        **OWNER["metadata"],
    }
    return {**made, "metadata": {**made["metadata"], "ownerReferences": [reference]}}


@APPLIED
async def test_a_new_object_is_made_as_an_apply_makes_it(
    kind: tuple[str, str], client: Client, kubectl: Kubectl
) -> None:
    writer = Writer(client, Cache(), CREDENTIALS.data)
    assert await writer.apply(child(kind, "new", one="1", two="2"), OWNER)
    made: Any = kubectl.get(kind[1], "new")
    assert "deletionGracePeriodSeconds" not in made["metadata"]
    assert await writer.apply(child(kind, "new", one="1"), OWNER)
    applied: Any = kubectl.get(kind[1], "new")
    assert applied["metadata"]["labels"] == {"one": "1"}
    assert applied["metadata"]["uid"] == made["metadata"]["uid"]
    assert applied.get("spec") == made.get("spec")


async def test_what_is_not_asked_for_any_more_goes_and_replicas_stay(
    client: Client, kubectl: Kubectl
) -> None:
    kind, writer = ("apps/v1", "Deployment"), Writer(client, Cache(), CREDENTIALS.data)
    limited = child(kind, "limited")
    limits = {"limits": {"cpu": "1"}}
    pod = {"containers": [{**POD["containers"][0], "resources": limits}]}
    spec = {**limited["spec"], "template": {**TEMPLATE, "spec": pod}}
    await writer.apply({**limited, "spec": spec}, OWNER)
    await writer.patch(Patch(ObjectRef.of(limited), {"spec": {"replicas": 3}}))
    await writer.apply(limited, OWNER)
    live: Any = kubectl.get("Deployment", "limited")
    assert live["spec"]["template"]["spec"]["containers"][0]["resources"] == {}
    assert live["spec"]["replicas"] == 3
    await writer.apply({**limited, "spec": {**limited["spec"], "paused": True}}, OWNER)
    await writer.apply(limited, OWNER)
    live = kubectl.get("Deployment", "limited")
    assert "paused" not in live["spec"]
    assert live["spec"]["replicas"] == 3


async def test_a_port_that_changes_leaves_none_behind(client: Client, kubectl: Kubectl) -> None:
    kind, writer = ("v1", "Service"), Writer(client, Cache(), CREDENTIALS.data)
    wanted = child(kind, "ported")
    await writer.apply(wanted, OWNER)
    await writer.apply({**wanted, "spec": {"ports": [{"port": 81}]}}, OWNER)
    live: Any = kubectl.get("Service", "ported")
    assert [port["port"] for port in live["spec"]["ports"]] == [81]


async def test_a_field_that_the_kind_lacks_is_refused(client: Client, kubectl: Kubectl) -> None:
    typo = manifest(("v1", "Service"), "typo")
    with pytest.raises(Rejected, match="sessionAfinity"):
        await client.create_new({**typo, "spec": {**typo["spec"], "sessionAfinity": "None"}})


@KINDS
async def test_an_object_that_is_there_stays_as_it_is(
    kind: tuple[str, str], client: Client, kubectl: Kubectl
) -> None:
    kubectl.create(manifest(kind, "there"))
    before: Any = kubectl.get(kind[1], "there")
    with pytest.raises(AlreadyExists):
        await client.create_new(manifest(kind, "there", ours="1"))
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
        await client.create_new(manifest(kind, name, ours="1"))
    assert kubectl.get(kind[1], name) == before
    patch = '{"metadata":{"finalizers":null}}'
    kubectl.run("patch", kind[1], name, "--type=merge", f"--patch={patch}")


async def test_a_new_object_that_is_refused_is_told_as_such(
    client: Client, kubectl: Kubectl
) -> None:
    bad = {**manifest(("v1", "Service"), "bad"), "spec": {"ports": []}}
    with pytest.raises(Rejected):
        await client.create_new(bad)


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
    newest: Any = kubectl.get("trainingjob", "job")
    written = await client.write_status(newest, {"phase": "Succeeded"})
    assert written["status"]["phase"] == "Succeeded"
    assert "sourceRevision" not in written["status"]
    assert written["spec"] == live["spec"]
    for stale in (live, newest, {**written, "metadata": live["metadata"]}):
        with pytest.raises(Conflict):
            await client.write_status(stale, {"phase": "Failed"})
    assert (kubectl.get("trainingjob", "job") or {})["status"] == written["status"]
    kubectl.run("delete", "trainingjob", "job")
    with pytest.raises(NotFound):
        await client.write_status(written, {"phase": "Failed"})
    kubectl.create(training_job())
    with pytest.raises(Conflict):
        await client.write_status(written, {"phase": "Failed"})
