"""Fixtures of the cluster tests: a namespace for each test, and one quickstart for all."""

import fcntl
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.prometheus import URL, start
from tests.cluster import toy
from tests.cluster.support import QUICKSTART, Space, in_namespace
from tests.harness import AuditLog, Kubectl, Object
from tests.harness.cluster import Cluster
from tests.harness.prometheus import Prometheus

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def _namespace(name: str) -> Object:
    meta = {"name": name, "labels": RESTRICTED}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


@contextmanager
def fresh_space(kubectl: Kubectl, prefix: str) -> Iterator[Space]:
    """Make a namespace of a new name: one that goes takes as long as its pods might."""
    name = f"{prefix}-{secrets.token_hex(3)}"
    kubectl.apply(_namespace(name))
    yield Space(in_namespace(kubectl, name))
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module", autouse=True)
def turn(request: pytest.FixtureRequest, together: Path) -> Iterator[None]:
    """Share the cluster with the other workers' modules, or have it alone if marked so."""
    alone = any(mark.name == "alone" for mark in request.node.iter_markers())
    with (together / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def space(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace of the test's own."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40]
    with fresh_space(cluster.kubectl, slug.strip("-")) as space:
        yield space


@pytest.fixture(scope="module")
def shared(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace that a module's tests share, so that what they wait for goes on at once."""
    name = request.module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    with fresh_space(cluster.kubectl, name) as space:
        yield space


@pytest.fixture(scope="module")
def model(cluster: Cluster) -> Object:
    """The toy's archive in the store."""
    return toy.put(cluster)


@dataclass(frozen=True)
class Quickstart:
    """The quickstart, trained, packaged and served, and the audit log of how it came to be."""

    space: Space
    audit: AuditLog
    job: Object
    deployment: Object
    model: Object
    """The packaged model, where all may read it, as a ModelDeployment names it by URI."""


@pytest.fixture(scope="session")
def prometheus(cluster: Cluster) -> Prometheus:
    """A Prometheus that scrapes the cluster from now on; it ends with the cluster."""
    del cluster
    start()
    return Prometheus(URL)


@pytest.fixture(scope="session")
def quickstart(cluster: Cluster, prometheus: Prometheus) -> Iterator[Quickstart]:
    """``examples/quickstart`` applied as it is to a restricted namespace, until it is served.

    A Prometheus looks on, for the tests of the dashboards.
    """
    del prometheus
    with fresh_space(cluster.kubectl, "quickstart") as space:
        yield _run_quickstart(cluster, space, cluster.audit())


def _run_quickstart(cluster: Cluster, space: Space, audit: AuditLog) -> Quickstart:
    space.kubectl.run("apply", "-f", str(QUICKSTART))
    name = space.kubectl.list("trainingjob")[0]["metadata"]["name"]
    served = space.kubectl.list("modeldeployment")[0]["metadata"]["name"]
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    deployment = space.wait_until_ready(served)
    return Quickstart(space, audit, job, deployment, _shared(cluster, job["status"]["package"]))


def _shared(cluster: Cluster, package: Object) -> Object:
    """Copy an archive to where all namespaces may read it, as an administrator does."""
    path = f"slipway/shared/tests/{package['sha256']}/model.mar"
    with cluster.store() as store:
        store.copy(package["uri"].removeprefix("s3://"), path)
    return {"uri": f"s3://{path}", "sha256": package["sha256"], "name": package["modelName"]}
