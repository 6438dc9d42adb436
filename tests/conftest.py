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


QUICKSTART = "the quickstart"
"""Name of the scope of all that looks at one quickstart, or disturbs the whole cluster."""
SERVING = "the served model"
"""Name of the scope of all that serves a quickstart's model on its own."""
INDEPENDENT = ("audiences", "checkpoints", "launch", "traffic", "training", "training_life")
"""The modules of cluster tests that need nothing of others', and let them be."""
ORDER = (QUICKSTART, "contract", SERVING, "cluster", "chart", "image")
"""The scopes that begin first: those that take longest, then those that wait for the cluster.

In the first one the tests that want the cluster alone come first, for none other uses it then.
"""


def scope_of(nodeid: str) -> str:
    """Return the name of what a test shares its machinery with, so that one worker runs it all."""
    file = Path(nodeid.partition("::")[0])
    folder = file.parts[1]
    if folder == "cluster":
        module = file.stem.removeprefix("test_")
        if module in ("rollouts", "serving"):
            return SERVING
        return str(file) if module in INDEPENDENT else QUICKSTART
    shares = folder in ("contract", "chart", "image") and file.parts[2] != "operator"
    return folder if shares else str(file)


class ByMachinery(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps on one worker what shares a quickstart or a control plane, and each other file too."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByMachinery:
    """Give the tests to the workers in the order in which they were collected."""
    config.option.loadscopereorder = False
    return ByMachinery(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order of `ORDER`, so that all workers end at about the same time."""

    def rank(item: pytest.Item) -> tuple[int, bool]:
        scope = scope_of(item.nodeid)
        folder = Path(scope).parts[1] if scope.startswith("tests/") else scope
        place = ORDER.index(folder) if folder in ORDER else len(ORDER)
        return place, item.get_closest_marker("alone") is None

    items.sort(key=rank)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[TestControlPlane]:
    """A kube-apiserver with its etcd, empty but for what Kubernetes itself puts there."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The local cluster with Slipway installed from this clone; it is left up for the next run."""
    return Cluster.ensure()
