"""Fixtures of the machinery that tests share; each is started once, when first asked for."""

import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer

from tests.harness import Cluster, TestControlPlane
from tests.harness.control_plane import control_plane as running_control_plane
from tests.harness.order import ByMachinery, turn_of

# The same examples in each run, and no time limit on one, or on making it: a busy machine is no
# finding.
hypothesis.settings.register_profile(
    "slipway",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("slipway")


_NAME_BYTES = 40
"""What is longer is content that a test was given, and no name for it."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByMachinery:
    """Give the tests to the workers in the order in which they were collected."""
    config.option.loadscopereorder = False
    return ByMachinery(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call a test by no content, which may be another in each worker: an archive has a time."""
    return argname if isinstance(val, bytes) and len(val) > _NAME_BYTES else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order of `ORDER`."""
    items.sort(key=lambda item: turn_of(item.nodeid, bool(item.get_closest_marker("alone"))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what a test printed and UTF-8 cannot say: a worker would end on such a report."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8"))
        for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def control_plane() -> Iterator[TestControlPlane]:
    """A kube-apiserver with its etcd, empty but for what Kubernetes itself puts there."""
    with running_control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share.

    Source: https://pytest-xdist.readthedocs.io/en/stable/how-to.html, on session fixtures.
    """
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def cluster(together: Path) -> Cluster:
    """The local cluster with Slipway installed from this clone; it is left up for the next run.

    The first worker that asks brings it up to date.
    """
    mark = together / "cluster.ready"
    with (together / "cluster.setup").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists():
            return Cluster.running()
        found = Cluster.ensure()
        mark.touch()
        return found
