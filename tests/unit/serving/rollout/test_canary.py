"""A canary: its steps, its promotion, and what stays as it is meanwhile."""

from copy import deepcopy
from datetime import timedelta

import pytest

from slipway.serving import reasons
from tests.unit.serving.rollout.progressive import (
    STEPS,
    canary,
    candidate,
    model,
    rollout_of,
    routes,
    served_slot,
    service,
    services,
    serving,
)
from tests.unit.serving.world import World


def start() -> World:
    world = serving(canary())
    world.change(model=model("new"))
    world.run()
    return world


def promote(world: World, step: int) -> None:
    world.annotations["slipway.dev/rollout-promote"] = f"{candidate(world)['revision']}/{step}"


def test_the_candidate_comes_up_beside_the_stable_pods_which_stay_as_they_are() -> None:
    world = serving(canary())
    before = deepcopy(world.deployment("blue"))
    world.change(model=model("new"))
    world.run()
    assert world.deployment("blue")["spec"] == before["spec"]
    green = world.deployment("green")
    assert green["spec"]["replicas"] == 1
    assert served_slot(world) == "blue"
    assert world.status["rollout"]["stableRevision"] == world.revision


def test_no_request_goes_to_a_candidate_that_is_not_ready() -> None:
    world = serving(canary())
    stable = rollout_of(world)["stableRevision"]
    world.change(model=model("new"))
    for _ in range(3):
        world.reconcile()
        world.up("green", ready=0)
    assert candidate(world)["weight"] == 0
    assert "weighted_clusters" not in routes(world, stable)


def test_a_ready_candidate_gets_its_steps_share_and_the_pods_are_told() -> None:
    world = start()
    stable = rollout_of(world)["stableRevision"]
    assert candidate(world)["weight"] == 20
    assert rollout_of(world)["stableWeight"] == 80
    assert candidate(world)["current"] == "pause 60s"
    assert "weighted_clusters" in routes(world, stable)
    told = [p["metadata"].get("annotations") for p in world.of_kind("Pod") if "blue" in str(p)]
    assert all(told)
    assert ("Normal", reasons.TRAFFIC_SHIFTED) in world.told()


def test_the_slots_service_leads_to_the_candidates_revision_alone() -> None:
    world = start()
    selector = service(world, "web-green")["spec"]["selector"]
    assert selector["slipway.dev/revision"] == candidate(world)["revision"]
    assert selector["slipway.dev/track"] == "green"
    assert services(world) == {"web", "web-green"}


def test_the_candidate_has_its_share_of_the_pods() -> None:
    world = start()
    assert world.deployment("green")["spec"]["replicas"] == 1
    world.run(seconds=61)
    assert candidate(world)["weight"] == 50
    assert world.deployment("green")["spec"]["replicas"] == 2


def test_a_pause_without_a_duration_waits_until_its_step_is_promoted() -> None:
    world = start()
    world.run(seconds=61)
    world.run(seconds=86_400)
    assert rollout_of(world)["phase"] == "Paused"
    condition = world.condition(reasons.PROGRESSING)
    assert condition.reason == reasons.PAUSED
    assert "which is at step 4 of 5 (pause" in condition.message
    assert f"rollout.promote: {candidate(world)['revision']}/3" in condition.message
    promote(world, 1)
    world.run()
    assert rollout_of(world)["phase"] == "Paused"
    promote(world, 3)
    world.run()
    assert rollout_of(world)["phase"] == "Complete"


def test_a_promotion_turns_the_service_to_the_candidates_slot_and_keeps_the_old_one_a_while() -> (
    None
):
    world = start()
    new, old = candidate(world)["revision"], rollout_of(world)["stableRevision"]
    world.run(seconds=61)
    promote(world, 3)
    world.run()
    assert rollout_of(world)["stableRevision"] == new
    assert served_slot(world) == "green"
    assert world.deployment("green")["spec"]["replicas"] == 4
    assert world.deployment("blue")["spec"]["replicas"] == 4
    assert "weighted_clusters" in routes(world, old)
    assert world.condition(reasons.READY).status == "True"
    world.run(seconds=31)
    assert world.deployment("blue")["spec"]["replicas"] == 0
    world.run()
    assert services(world) == {"web"}


def test_the_service_turns_only_when_as_many_new_pods_are_up_as_serve() -> None:
    world = start()
    world.run(seconds=61)
    promote(world, 3)
    for _ in range(4):
        world.reconcile()
        world.up("green", ready=3)
    assert rollout_of(world)["phase"] == "Promoting"
    assert served_slot(world) == "blue"


def test_the_whole_candidate_is_promoted_at_once_by_its_name() -> None:
    world = serving(canary())
    world.change(model=model("new"))
    world.reconcile()
    revision = candidate(world)["revision"]
    world.change(rollout={**canary(), "promote": revision})
    world.run()
    assert rollout_of(world)["stableRevision"] == revision
    assert served_slot(world) == "green"


def test_the_next_rollout_uses_the_slot_that_is_free() -> None:
    world = start()
    world.run(seconds=61)
    promote(world, 3)
    world.run()
    world.run(seconds=31)
    world.change(model=model("third"))
    world.run()
    assert candidate(world)["slot"] == "blue"
    assert served_slot(world) == "green"
    world.run(seconds=61)
    promote(world, 3)
    world.run()
    assert served_slot(world) == "blue"
    assert [one["outcome"] for one in rollout_of(world)["history"]] == ["Promoted"] * 3


def test_while_it_is_paused_no_step_follows() -> None:
    world = start()
    world.change(rollout={**canary(), "paused": True})
    world.run(seconds=600)
    assert candidate(world)["step"] == 1
    assert rollout_of(world)["phase"] == "Paused"
    world.change(rollout=canary())
    world.run()
    assert candidate(world)["weight"] == 50


def test_a_candidate_that_loses_its_pods_gets_no_request_until_they_are_back() -> None:
    world = start()
    stable = rollout_of(world)["stableRevision"]
    world.up("green", ready=0)
    world.reconcile()
    assert candidate(world)["weight"] == 0
    assert "weighted_clusters" not in routes(world, stable)
    world.run()
    assert candidate(world)["weight"] == 20


def test_a_second_change_starts_over_from_stable() -> None:
    world = start()
    world.run(seconds=61)
    stable, first = rollout_of(world)["stableRevision"], candidate(world)["revision"]
    world.change(model=model("third"))
    world.reconcile()
    assert candidate(world)["revision"] not in (stable, first)
    assert (candidate(world)["weight"], candidate(world)["step"]) == (0, 0)
    assert "weighted_clusters" not in routes(world, stable)
    assert rollout_of(world)["history"][0]["outcome"] == "Superseded"
    world.run(seconds=11)
    assert candidate(world)["weight"] == 20
    assert rollout_of(world)["stableRevision"] == stable


def test_going_back_to_the_stable_model_ends_the_rollout() -> None:
    world = start()
    before = world.spec["model"]
    stable = rollout_of(world)["stableRevision"]
    world.change(model={"uri": "s3://slipway/shared/iris.mar", "sha256": before["sha256"]})
    world.run()
    assert rollout_of(world)["phase"] == "Complete"
    assert rollout_of(world)["stableRevision"] == stable
    world.run(seconds=11)
    assert world.deployment("green")["spec"]["replicas"] == 0
    assert world.condition(reasons.READY).status == "True"


def test_going_back_soon_after_a_promotion_takes_no_steps_and_no_start() -> None:
    world = start()
    old_model = {"uri": "s3://slipway/shared/iris.mar", "sha256": world.spec["model"]["sha256"]}
    old = rollout_of(world)["stableRevision"]
    world.run(seconds=61)
    promote(world, 3)
    world.run()
    pods = {one["metadata"]["uid"] for one in world.of_kind("Pod") if "blue" in str(one)}
    world.change(model=old_model)
    world.run()
    assert rollout_of(world)["stableRevision"] == old
    assert served_slot(world) == "blue"
    after = {one["metadata"]["uid"] for one in world.of_kind("Pod") if "blue" in str(one)}
    assert pods == after
    assert "weighted_clusters" not in routes(world, old)


def test_other_steps_start_over_with_the_same_candidate() -> None:
    world = start()
    world.run(seconds=61)
    revision = candidate(world)["revision"]
    world.change(rollout=canary({"setWeight": 5}, {"pause": {}}))
    world.run()
    assert candidate(world)["revision"] == revision
    assert candidate(world)["weight"] == 5


def test_auto_steps_grow_by_themselves_until_the_promotion() -> None:
    auto = {"stepWeight": 20, "interval": "30s", "maxWeight": 60}
    world = serving({"strategy": "Canary", "canary": {"autoSteps": auto}})
    world.change(model=model("new"))
    world.run()
    seen = []
    for _ in range(3):
        seen.append(candidate(world)["weight"])
        world.run(seconds=31)
    assert seen == [20, 40, 60]
    assert rollout_of(world)["phase"] == "Complete"
    assert served_slot(world) == "green"


def test_set_replicas_gives_the_candidate_so_many_pods_from_there_on() -> None:
    world = serving(canary({"setReplicas": 3}, *STEPS))
    world.change(model=model("new"))
    world.run()
    assert candidate(world)["weight"] == 20
    assert world.deployment("green")["spec"]["replicas"] == 3


@pytest.mark.parametrize("lost", ["blue", "green"])
def test_a_deployment_that_is_lost_in_mid_rollout_is_made_again(lost: str) -> None:
    world = start()
    before = world.deployment(lost)["spec"]["template"]
    world.children = {
        ref: one for ref, one in world.children.items() if one is not world.deployment(lost)
    }
    world.run()
    assert world.deployment(lost)["spec"]["template"] == before


def test_the_autoscaler_follows_the_serving_slot_and_keeps_its_number() -> None:
    auto = {"minReplicas": 2, "maxReplicas": 9}
    world = serving(canary(), autoscaling=auto)
    world.deployment("blue")["spec"]["replicas"] = 6
    world.up()
    world.change(model=model("new"))
    world.run()
    (scaler,) = world.of_kind("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "web"
    assert scaler["spec"]["minReplicas"] == 6
    assert world.deployment("blue")["spec"]["replicas"] == 6
    assert world.deployment("green")["spec"]["replicas"] == 2
    world.run(seconds=61)
    promote(world, 3)
    world.run()
    (scaler,) = world.of_kind("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "web-green"
    assert scaler["spec"]["minReplicas"] == 2
    assert world.deployment("green")["spec"]["replicas"] == 6


def test_a_deployment_of_the_release_before_is_rolled_in_place_once() -> None:
    world = serving(canary())
    for one in world.of_kind("ConfigMap"):
        one["data"].pop("revision.json", None)
    del world.status["rollout"]
    world.change(model=model("new"))
    world.run()
    assert rollout_of(world)["stableRevision"] == world.revision
    assert served_slot(world) == "blue"
    assert len(world.of_kind("Deployment")) == 1


def test_more_pods_for_a_candidate_take_no_request_from_those_that_it_has() -> None:
    world = start()
    world.now += timedelta(seconds=61)
    world.reconcile()
    assert world.deployment("green")["spec"]["replicas"] == 2
    world.reconcile()
    assert candidate(world)["weight"] == 20
    world.run()
    assert candidate(world)["weight"] == 50
