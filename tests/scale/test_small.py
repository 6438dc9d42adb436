"""What a handful of jobs and deployments costs in requests, on simulated nodes: it never grows."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.operator.process import OperatorProcess
from tests.contract.operator.test_life import soft_writes
from tests.harness import TestControlPlane
from tests.harness.waiting import wait_for
from tests.scale import measure, resident

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


def test_what_lies_there_costs_no_request_when_the_operator_starts_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    with measure.prepared(nodes=5) as plane:
        asyncio.run(resident.write_ended(plane, 50))
        audit, begun = plane.audit(), time.monotonic()
        with measure.operator(plane, tmp_path / "operator.log") as process:
            wait_for(lambda: process.metric("slipway_reconcile_total") >= 50, 180, "all were seen")
            assert resident.seconds_to_job(plane) < 60
            cached = process.metric("slipway_cached_objects")
        made = Counter((one.verb, one.resource) for one in audit.requests(measure.USER))
    assert not [key for key in made if key[0] in ("update", "delete") and key[1] != "leases"]
    assert made["patch", "trainingjobs/status"] <= 2 + soft_writes(begun), "that of the new job"
    assert made["create", "jobs"] == 1
    assert cached <= 50 + 8, "a job is kept, and neither its Job nor pods"


def beside_events(found: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Leave out events, which are posted later."""
    return Counter({key: count for key, count in found.items() if key[1] != "events"})


def test_a_job_costs_three_children_and_a_status_until_it_runs(
    plane: TestControlPlane, operator: OperatorProcess
) -> None:
    begun = time.monotonic()
    found = beside_events(measure.observed(measure.training_jobs(COUNT), plane, operator).details)
    shared = {key: found.pop(key, 0) for key in (("get", "secrets"), ("patch", "secrets"))}
    assert shared["patch", "secrets"] == 1
    assert shared["get", "secrets"] + found.pop(("get", "configmaps"), 0) <= COUNT
    statuses = found.pop(("patch", "trainingjobs/status"))
    assert COUNT <= statuses <= (2 + soft_writes(begun)) * COUNT
    children = ("networkpolicies", "services", "jobs")
    assert found == {("create", resource): COUNT for resource in children}


def test_a_deployment_costs_its_children_and_two_statuses_until_it_is_ready(
    plane: TestControlPlane, operator: OperatorProcess
) -> None:
    load, begun = measure.model_deployments(COUNT), time.monotonic()
    found = beside_events(measure.observed(load, plane, operator).details)
    assert found.pop(("get", "secrets"), 0) <= COUNT
    # For its label on signed models: by each of the four workers, if all begin at once.
    assert found.pop(("get", "namespaces"), 0) <= 4
    statuses = found.pop(("patch", "modeldeployments/status"))
    assert 2 * COUNT <= statuses <= (4 + soft_writes(begun)) * COUNT
    assert found.pop(("create", "configmaps")) == 2 * COUNT
    assert set(found.values()) == {COUNT}
    assert {verb for verb, _ in found} == {"create"}
