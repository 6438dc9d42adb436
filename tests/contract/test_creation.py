"""Applying what must be new, on a real API server: it makes an object, and never takes one over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from slipway.kube.client import Client
from slipway.kube.connection import connect
from slipway.kube.errors import AlreadyExists, Rejected
from slipway.manifests import MANAGER
from slipway.plan import Manifest
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
    control_plane.kubectl.run("create", "namespace", NAMESPACE)
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
