"""Elastic jobs: their size changes while they run, and pods come and go without a restart."""

from typing import Any

import pytest

from slipway.plan import Manifest
from tests.unit.training.simulation import Cluster, condition, trained, underway


def elastic(nodes: int = 2, **fields: Any) -> Cluster:
    bounds = {"minNodes": 1, "maxNodes": 3}
    return underway(nodes=nodes, elastic=bounds, **fields)


def job(cluster: Cluster) -> Manifest:
    found = cluster.job()
    assert found
    return found


def test_the_launcher_is_told_the_bounds_and_how_often_it_may_form_anew() -> None:
    cluster = elastic()
    env = {one["name"]: one.get("value") for one in _trainer(cluster)["env"]}
    assert env["SLIPWAY_NODES"] == "1:3"
    assert env["SLIPWAY_MAX_RESTARTS"] == "10"


@pytest.mark.parametrize(
    ("size", "most"),
    [({"nodes": 2}, "2"), ({"nodes": 1, "elastic": {"minNodes": 1, "maxNodes": 3}}, "3")],
)
def test_the_agent_takes_saves_of_as_many_nodes_as_the_job_may_have(
    size: dict[str, Any], most: str
) -> None:
    pod = underway(checkpoint={}, **size).pods()[0]["spec"]
    agent = next(one for one in pod["initContainers"] if one["name"] == "agent")
    assert {"name": "SLIPWAY_MOST_NODES", "value": most} in agent["env"]


def _trainer(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.pods()[0]["spec"]["containers"][0]
    return found


def test_an_elastic_job_of_one_pod_has_a_name_for_those_that_may_come() -> None:
    cluster = elastic(nodes=1)
    assert "Service" in [ref.kind for ref in cluster.objects]
    env = {one["name"]: one.get("value") for one in _trainer(cluster)["env"]}
    assert env["SLIPWAY_RDZV_ENDPOINT"] == "quick-train-0.quick-train.default.svc:29400"


def test_a_change_of_nodes_reaches_the_live_job_and_starts_nothing_anew() -> None:
    cluster = elastic()
    kept = {pod["metadata"]["uid"] for pod in cluster.pods()}
    cluster.change(nodes=3)
    (patch,) = cluster.reconcile().patch
    assert patch.body == {"spec": {"completions": 3, "parallelism": 3}}
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert kept < {pod["metadata"]["uid"] for pod in cluster.pods()}
    cluster.start()
    cluster.settle()
    cluster.change(nodes=1)
    cluster.settle()
    assert len(cluster.pods()) == 1
    assert (cluster.status["phase"], cluster.status["attempt"]) == ("Running", 0)


def test_the_scale_subresource_finds_the_pods() -> None:
    assert elastic().status["selector"] == (
        "slipway.dev/training-job=quick,slipway.dev/component=trainer"
    )


def test_the_group_goes_on_without_a_pod_that_was_lost() -> None:
    cluster = elastic()
    cluster.disrupt(cluster.pods()[1])
    cluster.leave()
    cluster.settle()
    assert (cluster.status["phase"], cluster.status["attempt"]) == ("Running", 0)
    assert len(cluster.pods()) == 2


def test_the_loss_of_the_pod_with_the_rendezvous_starts_the_group_anew() -> None:
    cluster = elastic()
    cluster.disrupt(cluster.pods()[0])
    cluster.wait(3)
    cluster.settle()
    assert (cluster.status["attempt"], cluster.status["restarts"]) == (1, 0)
    assert condition(cluster, "Restarting")["status"] == "True"


def test_the_end_of_index_0_is_the_end_of_the_training() -> None:
    cluster = elastic(nodes=3)
    cluster.finish(cluster.pods()[0], 0, trained())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.pods() == []
