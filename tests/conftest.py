"""Fixtures of the machinery that tests share; each is started once, when first asked for."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.harness import Cluster, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane

TESTS = Path(__file__).parent

# The same examples in each run, and no time limit on one: a busy machine is no finding.
hypothesis.settings.register_profile("slipway", deadline=None, derandomize=True)
hypothesis.settings.load_profile("slipway")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep on one worker what shares the cluster or a control plane, where there are several."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        alone = folder in ("cluster", "contract", "chart", "dev")
        item.add_marker(pytest.mark.xdist_group(folder if alone else str(item.path)))


@pytest.fixture(scope="session")
def control_plane() -> Iterator[TestControlPlane]:
    """A kube-apiserver with its etcd, empty but for what Kubernetes itself puts there."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster with Slipway installed from this clone; it is left up for the next run."""
    return Cluster.ensure()
