"""What a handful of jobs and deployments costs in requests, on simulated nodes: it never grows."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.contract.operator.process import OperatorProcess
from tests.harness import TestControlPlane
from tests.scale import measure

pytestmark = pytest.mark.contract
COUNT = 10


@pytest.fixture(scope="module")
def plane() -> Iterator[TestControlPlane]:
    with measure.prepared(nodes=5) as plane:
        yield plane


@pytest.fixture(scope="module")
def operator(
    plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    with measure.operator(plane, tmp_path_factory.mktemp("scale") / "operator.log") as process:
        yield process


def beside_events(found: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Leave out events, which are posted later."""
    return Counter({key: count for key, count in found.items() if key[1] != "events"})


def test_a_job_costs_two_children_and_a_status_until_it_runs(
    plane: TestControlPlane, operator: OperatorProcess
) -> None:
    found = beside_events(measure.observed(measure.training_jobs(COUNT), plane, operator).details)
    shared = {key: found.pop(key, 0) for key in (("get", "secrets"), ("patch", "secrets"))}
    assert shared["patch", "secrets"] == 1
    assert shared["get", "secrets"] + found.pop(("get", "configmaps"), 0) <= COUNT
    statuses = found.pop(("patch", "trainingjobs/status"))
    assert COUNT <= statuses <= 2 * COUNT
    assert found == {("create", "services"): COUNT, ("create", "jobs"): COUNT}


def test_a_deployment_costs_its_children_and_two_statuses_until_it_is_ready(
    plane: TestControlPlane, operator: OperatorProcess
) -> None:
    load = measure.model_deployments(COUNT)
    found = beside_events(measure.observed(load, plane, operator).details)
    assert found.pop(("get", "secrets"), 0) <= COUNT
    statuses = found.pop(("patch", "modeldeployments/status"))
    assert 2 * COUNT <= statuses <= 4 * COUNT
    assert found.pop(("create", "configmaps")) == 2 * COUNT
    assert set(found.values()) == {COUNT}
    assert {verb for verb, _ in found} == {"create"}
