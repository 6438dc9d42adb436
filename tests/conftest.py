"""Fixtures of the machinery that tests share; each is started once, when first asked for."""

from collections.abc import Iterator

import pytest

from tests.harness import Cluster, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[TestControlPlane]:
    """A kube-apiserver with its etcd, empty but for what Kubernetes itself puts there."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster with Slipway installed from this clone; it is left up for the next run."""
    return Cluster.ensure()
