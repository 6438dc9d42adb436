"""How a rollout goes: what makes a new revision, what it is told of, what is cleaned up."""

from dataclasses import replace
from typing import Any

import pytest

from slipway.manifests import REVISION
from slipway.plan import Plan
from slipway.serving import reasons
from slipway.serving.planner import plan
from tests.unit.serving.world import JOB_MODEL, SETTINGS, SHA, World, training_job


def test_first_the_pods_are_made_then_they_serve() -> None:
    world = World()
    world.reconcile()
    assert world.condition(reasons.PROGRESSING).reason == reasons.ROLLING_OUT
    assert world.condition(reasons.READY).status == "False"
    world.pods_are(updated=1, available=0)
    world.reconcile()
    assert world.condition(reasons.AVAILABLE).reason == reasons.NO_PODS_AVAILABLE
    world.pods_are(updated=1, available=1)
    world.reconcile()
    ready = world.condition(reasons.READY)
    assert (ready.status, ready.reason) == ("True", reasons.SERVING)
    assert world.condition(reasons.PROGRESSING).reason == reasons.ROLLOUT_COMPLETE
    assert world.status["url"] == "http://web.demo.svc/predict"
    assert world.status["revision"] == world.revision
    assert world.status["readyReplicas"] == 1


def test_the_url_names_a_port_other_than_80() -> None:
    world = World(expose={"service": {"port": 8080}})
    world.reconcile()
    assert world.status["url"] == "http://web.demo.svc:8080/predict"


@pytest.mark.parametrize(
    ("phases", "spec"),
    [
        (("Pending", "Running", "Packaging", "Succeeded"), {"replicas": 2}),
        (("Succeeded",), {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}),
    ],
)
def test_a_first_rollout_costs_at_most_fifteen_writes(
    phases: tuple[str, ...], spec: dict[str, Any]
) -> None:
    world = World(JOB_MODEL, **spec)
    writes = 0
    for phase in phases:
        world.job = training_job(phase)
        made = world.reconcile()
        writes += len(made.apply) + len(made.patch) + len(made.delete)
    for updated, available in ((0, 0), (2, 0), (2, 1), (2, 2)):
        world.pods_are(updated, available)
        world.reconcile()
    assert world.condition(reasons.READY).status == "True"
    assert writes + world.status_writes <= 15


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"uri": "s3://slipway/shared/other.mar", "sha256": SHA}},
        {"model": {"uri": "s3://slipway/shared/iris.mar", "sha256": "cd" * 32}},
        {"model": {"uri": "s3://slipway/shared/iris.mar", "sha256": SHA, "name": "iris"}},
        {"server": {"workers": 2}},
        {"server": {"env": [{"name": "A", "value": "b"}]}},
        {"server": {"resources": {"limits": {"memory": "2Gi"}}}},
        {"server": {"batchSize": 2}},
        {"server": {"responseTimeoutSeconds": 5}},
        {"server": {"drainSeconds": 5}},
    ],
)
def test_what_pods_are_made_of_makes_a_new_revision(change: dict[str, Any]) -> None:
    world = World()
    world.roll_out()
    before = world.revision
    world.change(**change)
    world.reconcile()
    assert world.revision != before
    assert world.status["revision"] == world.revision
    names = [one["metadata"]["name"] for one in world.of_kind("ConfigMap")]
    assert {f"web-{world.revision}", f"web-{world.revision}-routes"} <= set(names)


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 3},
        {"autoscaling": {"minReplicas": 1, "maxReplicas": 5}},
        {"expose": {"service": {"type": "NodePort", "port": 8080}}},
        {"podDisruptionBudget": {"maxUnavailable": 2}},
        {"rollout": {"rollingUpdate": {"maxSurge": 2}}},
    ],
)
def test_nothing_else_makes_a_new_revision(change: dict[str, Any]) -> None:
    world = World()
    world.roll_out()
    before = world.revision
    world.change(**change)
    world.reconcile()
    assert world.revision == before


def test_while_old_pods_are_replaced_it_stays_available_but_is_not_ready() -> None:
    world = World(replicas=2)
    world.roll_out()
    world.change(server={"workers": 2})
    world.reconcile()
    world.pods_are(updated=1, available=2, old=2)
    world.reconcile()
    assert world.condition(reasons.AVAILABLE).status == "True"
    assert world.condition(reasons.READY).reason == reasons.ROLLING_OUT
    assert world.status["updatedReplicas"] == 1
    assert world.status["replicas"] == 3


def test_a_status_of_an_older_template_does_not_count_as_complete() -> None:
    world = World()
    world.roll_out()
    world.change(server={"workers": 2})
    world.reconcile()
    world.reconcile()
    assert world.condition(reasons.PROGRESSING).reason == reasons.ROLLING_OUT
    assert world.status["updatedReplicas"] in (0, 1)
    assert world.condition(reasons.READY).status == "False"


def test_scaling_up_does_not_make_it_unready() -> None:
    world = World()
    world.roll_out()
    world.change(replicas=3)
    world.reconcile()
    world.pods_are(updated=3, available=1)
    world.reconcile()
    assert world.condition(reasons.READY).status == "True"


def test_losing_all_pods_makes_it_unready_and_is_told() -> None:
    world = World()
    world.roll_out()
    world.pods_are(updated=1, available=0)
    world.reconcile()
    assert world.condition(reasons.READY).status == "False"
    assert ("Warning", reasons.NO_PODS_AVAILABLE) in world.told()


def test_no_replicas_are_told_as_what_they_are() -> None:
    world = World(replicas=0)
    world.reconcile()
    world.pods_are(updated=0, available=0)
    world.reconcile()
    assert world.condition(reasons.AVAILABLE).reason == reasons.SCALED_TO_ZERO
    assert world.condition(reasons.READY).reason == reasons.SCALED_TO_ZERO


def test_a_rollout_past_its_deadline_is_told() -> None:
    world = World()
    world.reconcile()
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    world.pods_are(updated=1, available=0, conditions=(stuck,))
    world.reconcile()
    condition = world.condition(reasons.PROGRESSING)
    assert (condition.status, condition.reason) == ("False", reasons.PROGRESS_DEADLINE_EXCEEDED)
    assert "900 s" in condition.message
    assert ("Warning", reasons.PROGRESS_DEADLINE_EXCEEDED) in world.told()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("exceeded quota: cpu, requested: cpu=1", reasons.QUOTA_EXCEEDED),
        ("violates PodSecurity", reasons.PODS_REFUSED),
    ],
)
def test_refused_pods_are_told(told: str, reason: str) -> None:
    world = World()
    world.reconcile()
    failure = {"type": "ReplicaFailure", "status": "True", "message": told}
    world.pods_are(updated=0, available=0, conditions=(failure,))
    world.reconcile()
    condition = world.condition(reasons.READY)
    assert condition.reason == reason
    assert told in condition.message
    assert ("Warning", reason) in world.told()


def revisions(world: World) -> set[str]:
    return {one["metadata"]["labels"][REVISION] for one in world.of_kind("ConfigMap")}


def test_config_maps_of_the_current_and_the_previous_revision_are_kept() -> None:
    world = World()
    seen = []
    for workers in (1, 2, 3, 4):
        world.change(server={"workers": workers})
        world.roll_out()
        seen.append(world.revision)
    assert revisions(world) == set(seen[-2:])


def test_no_config_map_goes_before_the_rollout_is_complete() -> None:
    world = World()
    seen = set()
    for workers in (1, 2, 3, 4):
        world.change(server={"workers": workers})
        world.reconcile()
        world.pods_are(updated=1, available=1, old=1)
        world.reconcile()
        seen.add(world.revision)
    assert revisions(world) == seen


def test_the_config_maps_of_a_pod_that_still_stops_are_kept() -> None:
    world = World()
    world.roll_out()
    first = world.revision
    world.add_pod("old", first)["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    for workers in (2, 3):
        world.change(server={"workers": workers})
        world.roll_out()
    assert first in revisions(world)


def test_a_deployment_that_is_being_deleted_is_left_to_its_owner_references() -> None:
    world = World()
    world.roll_out()
    snapshot = world.snapshot()
    gone = snapshot.deployment.metadata.model_copy(update={"deletion_timestamp": "2026-01-02"})
    deleted = snapshot.deployment.model_copy(update={"metadata": gone})
    assert plan(replace(snapshot, deployment=deleted), SETTINGS, world.now) == Plan()


def test_the_second_plan_asks_for_nothing_new() -> None:
    world = World(replicas=2)
    world.job = training_job("Succeeded")
    world.roll_out()
    first, second = world.plan(), world.plan()
    assert first == second
    assert (first.patch, first.delete, first.events) == ((), (), ())
    assert first.status == world.status


def test_ready_goes_by_the_pods_where_they_say_otherwise_than_their_controller() -> None:
    world = World()
    world.roll_out()
    world.up()
    world.reconcile()
    assert world.condition(reasons.READY).status == "True"
    (pod,) = world.of_kind("Pod")
    pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    world.reconcile()
    assert world.workload["status"]["availableReplicas"] == 1
    assert world.condition(reasons.READY).status == "False"
    assert world.condition(reasons.AVAILABLE).reason == reasons.NO_PODS_AVAILABLE
    pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    world.reconcile()
    assert world.condition(reasons.READY).status == "True"
