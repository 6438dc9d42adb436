"""``spec.server.container`` on a real API server: what it fills in, and what it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.namespaces import install_kinds
from tests.contract.refusals import refusal
from tests.harness import Kubectl, Object, TestControlPlane

pytestmark = pytest.mark.contract

SHA = "a" * 64
FOLDER = {"uri": "s3://slipway/shared/iris/", "sha256": SHA}
ARCHIVE = {"uri": "s3://slipway/shared/iris.mar", "sha256": SHA}


@pytest.fixture(scope="module")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    install_kinds(control_plane.kubectl)
    return control_plane.kubectl


@pytest.fixture(autouse=True)
def _empty(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl.delete_all("mdep")


def deployment(server: Object, model: Object = FOLDER, **spec: Any) -> Object:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "own"},
        "spec": {"model": model, "server": server, **spec},
    }


def own(**container: Any) -> Object:
    return {"runtime": "Container", "container": {"image": "mine:1", **container}}


def test_an_image_is_enough(kubectl: Kubectl) -> None:
    kubectl.apply(deployment(own()))
    live = (kubectl.get("mdep", "own") or {})["spec"]["server"]["container"]
    assert live == {
        "image": "mine:1",
        "port": 8080,
        "modelMount": "/mnt/models",
        "predictPath": "/predict",
        "maxConcurrentRequests": 100,
    }


@pytest.mark.parametrize(
    "model",
    [
        FOLDER,
        ARCHIVE,
        {"uri": "s3://b/model.pkl", "sha256": SHA},
        {"uri": "https://a/b/model.keras?X-Amz-Signature=0f", "sha256": SHA},
        {"trainingJob": {"name": "train"}},
    ],
)
def test_any_model_may_be_served_by_a_container(kubectl: Kubectl, model: Object) -> None:
    kubectl.apply(deployment(own(), model))


def beside(**server: Any) -> Object:
    return {**own(), **server}


REFUSED: dict[str, tuple[Object, str]] = {
    "no container": (
        deployment({"runtime": "Container"}),
        "write server.container with server.runtime: Container, and only there",
    ),
    "a container of another runtime": (
        deployment({"runtime": "Python", "container": {"image": "mine:1"}}, ARCHIVE),
        "write server.container with server.runtime: Container, and only there",
    ),
    "an image twice": (
        deployment(beside(image="other:1")),
        "write server.container.image instead of server.image",
    ),
    "variables of the server": (
        deployment(beside(env=[{"name": "A", "value": "1"}])),
        "write server.container.env instead of server.env",
    ),
    "more variables of the server": (
        deployment(beside(envFrom=[{"secretRef": {"name": "a"}}])),
        "write server.container.envFrom instead of server.envFrom",
    ),
    "workers": (deployment(beside(workers=2)), "remove server.workers"),
    "batches": (deployment(beside(batchSize=2)), "remove server.batchSize"),
    "a wait for batches": (
        deployment(beside(maxBatchDelayMilliseconds=2)),
        "remove server.maxBatchDelayMilliseconds",
    ),
    "a longest answer": (
        deployment(beside(maxResponseBytes=4096)),
        "remove server.maxResponseBytes",
    ),
    "a volume for logs": (
        deployment(beside(volumeSizes={"logs": "1Gi"})),
        "remove server.volumeSizes.logs",
    ),
    "Envoy's port": (
        deployment(own(port=8000)),
        "choose another port for the server: 8000, 9000, 9901, 9903 are Envoy's",
    ),
    "Envoy's port for metrics": (
        deployment(own(metricsPath="/metrics", metricsPort=9901)),
        "choose another port for the server",
    ),
    "a port without a path": (
        deployment(own(metricsPort=9091)),
        "write container.metricsPath, which is asked at container.metricsPort",
    ),
    "a page of gRPC's that is asked at the end": (
        deployment(own(readiness={"grpc": {}}, drain={"path": "/flush"})),
        "remove container.drain, whose page is asked by HTTP/1.1",
    ),
    "a page for Prometheus at gRPC's port": (
        deployment(own(readiness={"grpc": {}}, metricsPath="/metrics")),
        "write another container.metricsPort than container.port",
    ),
    "a page for Prometheus at gRPC's port, by its number": (
        deployment(own(readiness={"grpc": {}}, metricsPath="/metrics", metricsPort=8080)),
        "write another container.metricsPort than container.port",
    ),
    "a path with a line in it": (
        deployment(own(readiness={"path": "/healthz\r\nhost: elsewhere"})),
        "write a path that starts with /",
    ),
    "a path that ends in a line": (
        deployment(own(metricsPath="/metrics\n")),
        "write a path that starts with /",
    ),
    "a path with a backslash": (
        deployment(own(predictPath="/a\\1")),
        "write a path that starts with /",
    ),
    "a path in Envoy's own format": (
        deployment(own(paths=["/%REQ(x-slipway-token)%"])),
        "write a path that starts with /",
    ),
    "Envoy's port for probes": (
        deployment(own(port=9000)),
        "choose another port for the server",
    ),
    "the port of the hooks": (
        deployment(own(port=9903)),
        "choose another port for the server",
    ),
    "the root as the model's folder": (
        deployment(own(modelMount="/")),
        "should be at least 2 chars long",
    ),
    "a folder that is the kernel's": (
        deployment(own(modelMount="/proc/1/root")),
        "choose another folder for the model, such as /mnt/models",
    ),
    "a folder that hides the kernel's files": (
        deployment(own(modelMount="/etc")),
        "choose another folder for the model, such as /mnt/models",
    ),
    "a folder with a line in it": (
        deployment(own(modelMount="/mnt/models\n")),
        "write the absolute path of a folder",
    ),
    "a folder with an empty part": (
        deployment(own(modelMount="/mnt//models")),
        "write the absolute path of a folder",
    ),
    "two ways to be ready": (
        deployment(own(readiness={"path": "/healthz", "grpc": {}})),
        "write exactly one of readiness.path and readiness.grpc",
    ),
    "no way to be ready": (
        deployment(own(readiness={})),
        "write exactly one of readiness.path and readiness.grpc",
    ),
    "a path that is none": (
        deployment(own(predictPath="predict")),
        "write a path that starts with /",
    ),
    "a path with a query": (
        deployment(own(drain={"path": "/flush?now"})),
        "write a path that starts with /, such as /v1/models/iris:predict, without a query",
    ),
    "no paths": (deployment(own(paths=[])), "should have at least 1 items"),
    "the pod's own folder": (
        deployment(own(modelMount="/slipway/models")),
        "choose another folder for the model, such as /mnt/models",
    ),
    "a folder that is relative": (
        deployment(own(modelMount="models")),
        "write the absolute path of a folder",
    ),
    "a folder above its place": (
        deployment(own(modelMount="/mnt/../tmp")),
        "write the absolute path of a folder",
    ),
    "a smoke test of gRPC": (
        deployment(own(readiness={"grpc": {}}), rollout={"smoke": {"request": [1]}}),
        "remove rollout.smoke, whose request is JSON by HTTP",
    ),
    "a folder for TorchServe": (
        deployment({}, FOLDER),
        "write the address of a .mar archive that starts with s3://, http:// or https://",
    ),
    "an archive by its query alone": (
        deployment({}, {"uri": "https://a/b?name=c.mar", "sha256": SHA}),
        "write the address of a .mar archive that starts with s3://, http:// or https://",
    ),
    "a command for the container in podTemplate": (
        deployment(
            own(),
            podTemplate={"spec": {"containers": [{"name": "torchserve", "command": ["sh"]}]}},
        ),
        "write spec.server.container.command",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_what_to_write_instead(
    kubectl: Kubectl, case: str
) -> None:
    manifest, told = REFUSED[case]
    assert told in refusal(kubectl, manifest)
