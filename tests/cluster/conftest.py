"""Fixtures of the cluster tests: a namespace for each test, and one quickstart for all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.support import QUICKSTART, Space, in_namespace
from tests.harness import AuditLog, Kubectl, Object
from tests.harness.cluster import Cluster

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def _namespace(name: str) -> Object:
    meta = {"name": name, "labels": RESTRICTED}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def _fresh(kubectl: Kubectl, name: str) -> Space:
    kubectl.delete("namespace", name)
    kubectl.apply(_namespace(name))
    return Space(in_namespace(kubectl, name))


@pytest.fixture
def space(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace of the test's own."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:50]
    space = _fresh(cluster.kubectl, f"t-{slug.strip('-')}")
    yield space
    cluster.kubectl.run("delete", "namespace", space.name, "--wait=false")


@pytest.fixture(scope="module")
def shared(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace that a module's tests share, so that what they wait for goes on at once."""
    name = request.module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    space = _fresh(cluster.kubectl, f"shared-{name}")
    yield space
    cluster.kubectl.run("delete", "namespace", space.name, "--wait=false")


@dataclass(frozen=True)
class Quickstart:
    """The quickstart, trained, packaged and served, and the audit log of how it came to be."""

    space: Space
    audit: AuditLog
    job: Object
    deployment: Object

    @property
    def model(self) -> Object:
        """The packaged model as a ModelDeployment names it by URI."""
        package = self.job["status"]["package"]
        return {"uri": package["uri"], "sha256": package["sha256"], "name": package["modelName"]}


@pytest.fixture(scope="session")
def quickstart(cluster: Cluster) -> Quickstart:
    """``examples/quickstart`` applied as it is to a restricted namespace, until it is served."""
    space = _fresh(cluster.kubectl, "quickstart-test")
    audit = cluster.audit()
    space.kubectl.run("apply", "-f", str(QUICKSTART))
    name = space.kubectl.list("trainingjob")[0]["metadata"]["name"]
    served = space.kubectl.list("modeldeployment")[0]["metadata"]["name"]
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    deployment = space.wait_until_ready(served)
    return Quickstart(space, audit, job, deployment)
