"""Fixtures of the machinery that tests share; each is started once, when first asked for."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.harness import Cluster, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane

# The same examples in each run, and no time limit on one: a busy machine is no finding.
hypothesis.settings.register_profile("slipway", deadline=None, derandomize=True)
hypothesis.settings.load_profile("slipway")


class ByMachinery(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps on one worker what shares the cluster or a control plane, and each other file too."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = Path(file).parts[1]
        return folder if folder in ("cluster", "contract", "chart", "image") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByMachinery:
    """Give the tests to the workers in the order of their folders, the long ones first."""
    config.option.loadscopereorder = False
    return ByMachinery(config, log)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[TestControlPlane]:
    """A kube-apiserver with its etcd, empty but for what Kubernetes itself puts there."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster with Slipway installed from this clone; it is left up for the next run."""
    return Cluster.ensure()
