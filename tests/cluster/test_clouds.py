"""From inputs to answers on other clouds: local servers of Azure's, Google's and Alibaba's APIs.

Everything that a job reads and stores is opened by Secrets of its namespace alone.
"""

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from slipway.accounts.names import Tenant
from slipway.store import BUCKET
from tests.cluster import cloud_pod
from tests.cluster.conftest import fresh_space
from tests.cluster.support import (
    Space,
    condition,
    model_deployment,
    phase,
    predict,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.unit.runtime.cloud_fronts import ACCESS, SECRET

pytestmark = [pytest.mark.cluster, pytest.mark.long]

FIT = """
import json, os, pathlib

inputs = sorted(pathlib.Path(os.environ["SLIPWAY_INPUTS_DIR"]).rglob("*.csv"))
points = [tuple(map(float, row.split(","))) for path in inputs for row in path.read_text().split()]
secret = ("AWS_", "AZURE_STORAGE_", "GOOGLE_", "STORAGE_")
assert not [name for name in os.environ if name.startswith(secret)]
n = len(points)
mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
spread = sum((x - mean_x) ** 2 for x, _ in points)
slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
model = {"slope": slope, "intercept": mean_y - slope * mean_x, "points": n}
pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "model.pt").write_text(json.dumps(model))
"""
"""A script that puts a line through the points of all inputs."""
ANSWER = """
import json
import pathlib


class Handler:
    def initialize(self, context):
        folder = pathlib.Path(context.system_properties["model_dir"])
        self.model = json.loads((folder / "model.pt").read_text())

    def answer(self, xs):
        line = [self.model["slope"] * x + self.model["intercept"] for x in xs]
        return {"points": self.model["points"], "line": [round(y, 6) for y in line]}

    def handle(self, data, context):
        return [self.answer(one.get("body") or one.get("data")) for one in data]
"""
PACKAGE = {"serializedFile": "model.pt", "handler": "handler.py"}
POINTS = 4
"""How many each place has."""


def tenant_bucket(space: Space) -> str:
    """Return the bucket in which a namespace's artifacts lie."""
    namespace = space.kubectl.get("namespace", space.name) or {}
    return Tenant(space.name, namespace["metadata"]["uid"]).bucket


def secret(name: str, values: dict[str, str], **meta: Any) -> Object:
    meta = {"name": name, **meta}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": values}


def own_store(space: Space, values: dict[str, str]) -> Object:
    """Return the Secret by which a namespace brings a store of its own."""
    return secret("slipway-store", values, annotations={BUCKET: tenant_bucket(space)})


def fit(name: str, inputs: dict[str, str], **spec: Any) -> Object:
    """Return a job with inputs by the names of the Secrets that open them."""
    told = [
        {"name": secret, "uri": uri, "credentialsSecretName": secret}
        for secret, uri in inputs.items()
    ]
    return training_job(name, "fit", framework="plain", inputs=told, **spec)


@pytest.fixture(scope="module")
def google(cluster: Cluster) -> Iterator[Space]:
    """A namespace whose store is at Google's S3 API."""
    with fresh_space(cluster.kubectl, "clouds-google") as space:
        yield space


@pytest.fixture(scope="module")
def space(cluster: Cluster, shared: Space, google: Space) -> Space:
    """A namespace whose store is Alibaba's, with the servers; all jobs are begun together."""
    bucket, other = tenant_bucket(shared), tenant_bucket(google)
    images = cluster_images(cluster)
    shared.apply(*cloud_pod.objects(shared.name, *images, bucket, other))
    shared.wait_for_pod("clouds")
    told = cloud_pod.secrets(shared.name)
    rows = f"{cloud_pod.FOLDER}/"
    styleless = {key: text for key, text in told["oss"].items() if "STYLE" not in key}
    wrong = {name: text.replace("a2V5", "b3RoZXI=") for name, text in told["azure"].items()}
    everywhere = {
        "azure": f"az://data/{rows}",
        "google": f"gs://data/{rows}",
        "interoperable": f"s3://{other}/{rows}",
        "oss": f"s3://{bucket}/{rows}",
    }
    shared.apply(
        own_store(shared, told["oss"]),
        *(secret(name, values) for name, values in told.items()),
        secret("styleless", styleless),
        secret("wrong", wrong),
        source("fit", main=FIT, handler=ANSWER),
        fit("everywhere", everywhere, package=PACKAGE),
        fit("styleless", {"styleless": f"s3://{bucket}/{rows}"}),
        fit("wrong", {"wrong": f"az://data/{rows}"}),
        model_deployment("everywhere", {"trainingJob": {"name": "everywhere"}}),
    )
    google.apply(
        own_store(google, told["interoperable"]),
        secret("google", told["google"]),
        source("fit", main=FIT, handler=ANSWER),
        fit("one", {"google": f"gs://data/{rows}"}, package=PACKAGE),
        model_deployment("one", {"trainingJob": {"name": "one"}}),
    )
    return shared


def cluster_images(cluster: Cluster) -> tuple[str, str]:
    """Return the images of trainers and of the store."""
    (operator,) = cluster.system.list("deployments", "app.kubernetes.io/component=operator")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    store = cluster.system.get("statefulset", "slipway-store") or {}
    (server,) = store["spec"]["template"]["spec"]["containers"]
    return str(env["SLIPWAY_TRAINER_IMAGE"]), str(server["image"])


def stored(space: Space) -> Any:
    """Return the file system that both namespaces store to, by way of Google's S3 API."""
    service = space.kubectl.get("service", cloud_pod.NAME) or {}
    url = f"http://{service['spec']['clusterIP']}:{cloud_pod.INTEROPERABLE_PORT}"
    checks = {
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return fsspec.filesystem(
        "s3",
        key=ACCESS,
        secret=SECRET,
        endpoint_url=url,
        config_kwargs={"s3": {"addressing_style": "path"}, **checks},
        skip_instance_cache=True,
        use_listings_cache=False,
    )


def check_stored(cluster: Cluster, servers: Space, space: Space, name: str) -> None:
    """Check that a job's output and archive lie in its namespace's own store, and only there."""
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    assert phase(job) == "Succeeded", (condition(job, "Failed"), space.report())
    status, files = job["status"], stored(servers)
    output, package = status["output"]["uri"].rstrip("/"), status["package"]["uri"]
    assert output.startswith(f"s3://{tenant_bucket(space)}/outputs/{space.name}/{name}/")
    names = {path.rpartition("/")[2] for path in files.find(output)}
    assert names == {"_manifest.json", "model.pt"}
    assert files.size(package) == status["package"]["sizeBytes"]
    with cluster.store() as release:
        assert not release.exists(package)


def test_a_job_reads_from_four_apis_and_stores_where_buckets_are_in_hosts(
    cluster: Cluster, space: Space
) -> None:
    check_stored(cluster, space, space, "everywhere")


def test_a_job_reads_from_google_and_stores_at_its_s3_api(
    cluster: Cluster, space: Space, google: Space
) -> None:
    check_stored(cluster, space, google, "one")


def test_what_was_stored_there_is_served(space: Space, google: Space) -> None:
    wanted = {"line": [13.0, 16.0]}
    space.wait_until_ready("everywhere")
    assert predict(space, "everywhere", [4, 5]) == {**wanted, "points": 4 * POINTS}
    google.wait_until_ready("one")
    assert predict(google, "one", [4, 5]) == {**wanted, "points": POINTS}


@pytest.mark.parametrize(
    ("name", "why"), [("wrong", "az://data/rows"), ("styleless", "SecondLevelDomainForbidden")]
)
def test_a_secret_that_opens_nothing_is_told_with_the_servers_word(
    space: Space, name: str, why: str
) -> None:
    failed = condition(space.wait_for_phase(name, "Failed"), "Failed")
    assert failed["reason"] == "AccessDenied"
    assert why in failed["message"]
