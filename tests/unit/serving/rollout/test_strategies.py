"""BlueGreen, Shadow and ABTest: what each does before, at and after promotion."""

from typing import Any

import pytest
import yaml

from slipway.serving import reasons
from tests.unit.serving.rollout.progressive import (
    candidate,
    model,
    rollout_of,
    routes,
    served_slot,
    service,
    services,
    serving,
)
from tests.unit.serving.rollout.test_rollback import ANALYSIS, judge
from tests.unit.serving.world import World


def start(strategy: str, **fields: Any) -> World:
    key = {"BlueGreen": "blueGreen", "Shadow": "shadow", "ABTest": "abTest"}[strategy]
    world = serving({"strategy": strategy, key: fields})
    world.change(model=model("new"))
    world.run()
    return world


def promote(world: World) -> None:
    asked = f"{candidate(world)['revision']}/{candidate(world)['step']}"
    world.annotations["slipway.dev/rollout-promote"] = asked
    world.run()


def test_blue_green_brings_all_pods_up_and_then_turns_the_service_by_itself() -> None:
    world = serving({"strategy": "BlueGreen"})
    assert services(world) == {"web", "web-preview"}
    world.change(model=model("new"))
    world.reconcile()
    world.up("green", ready=3)
    world.reconcile()
    assert world.deployment("green")["spec"]["replicas"] == 4
    assert served_slot(world) == "blue"
    world.run()
    assert served_slot(world) == "green"
    assert rollout_of(world)["phase"] == "Complete"


def test_blue_green_waits_for_a_word_where_it_does_not_promote_by_itself() -> None:
    world = start("BlueGreen", autoPromote=False, previewReplicas=2)
    assert rollout_of(world)["phase"] == "Paused"
    assert world.deployment("green")["spec"]["replicas"] == 2
    preview = service(world, "web-preview")["spec"]["selector"]
    assert preview["slipway.dev/revision"] == candidate(world)["revision"]
    assert candidate(world)["weight"] == 0
    promote(world)
    assert served_slot(world) == "green"
    preview = service(world, "web-preview")["spec"]["selector"]
    assert preview["slipway.dev/revision"] == rollout_of(world)["stableRevision"]


def test_a_bad_analysis_before_promotion_keeps_users_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start("BlueGreen", prePromotionAnalysis=ANALYSIS)
    assert candidate(world)["current"] == "analysis"
    judge(monkeypatch, "Failed")
    world.run()
    assert served_slot(world) == "blue"
    assert rollout_of(world)["failed"]["reason"] == reasons.ANALYSIS_FAILED


def test_a_bad_analysis_after_promotion_turns_the_service_back_to_pods_that_never_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start("BlueGreen", postPromotionAnalysis=ANALYSIS)
    old = rollout_of(world)["stableRevision"]
    assert served_slot(world) == "green"
    assert rollout_of(world)["phase"] == "Verifying"
    assert rollout_of(world)["stableWeight"] == 0
    assert world.condition(reasons.PROGRESSING).reason == reasons.VERIFYING
    world.run(seconds=3600)
    assert world.deployment("blue")["spec"]["replicas"] == 4
    judge(monkeypatch, "Failed")
    world.reconcile()
    assert served_slot(world) == "blue"
    assert rollout_of(world)["stableRevision"] == old
    assert "weighted_clusters" not in routes(world, old)
    world.run()
    world.run(seconds=11)
    assert world.deployment("green")["spec"]["replicas"] == 0


def test_a_good_analysis_after_promotion_completes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, "Running")
    world = start("BlueGreen", postPromotionAnalysis=ANALYSIS)
    judge(monkeypatch, "Successful")
    world.run()
    assert rollout_of(world)["phase"] == "Complete"
    world.run(seconds=31)
    assert world.deployment("blue")["spec"]["replicas"] == 0


def test_a_shadow_gets_copies_and_users_get_the_stable_answers() -> None:
    world = start("Shadow", weight=50)
    stable = rollout_of(world)["stableRevision"]
    assert "request_mirror_policies" in routes(world, stable)
    assert "weighted_clusters" not in routes(world, stable)
    assert rollout_of(world)["stableWeight"] == 100
    assert (candidate(world)["weight"], candidate(world)["mirror"]) == (50, True)
    assert rollout_of(world)["phase"] == "Paused"
    promote(world)
    assert served_slot(world) == "green"


def test_a_shadow_is_promoted_by_itself_after_its_time_where_that_is_wanted() -> None:
    world = start("Shadow", duration="10m", autoPromote=True)
    assert rollout_of(world)["phase"] == "Progressing"
    world.run(seconds=601)
    assert served_slot(world) == "green"


def test_an_ab_test_sends_the_users_that_match_to_the_new_revision() -> None:
    match = [{"headers": [{"name": "x-group", "exact": "beta"}]}, {"cookies": [{"name": "beta"}]}]
    world = start("ABTest", match=match, sticky={"header": "x-user"})
    stable = rollout_of(world)["stableRevision"]
    document = yaml.load(routes(world, stable), yaml.CSafeLoader)
    (host,) = document["resources"][0]["virtual_hosts"]
    conditions = [one["match"].get("headers") for one in host["routes"]]
    beta = [{"name": "x-group", "string_match": {"exact": "beta"}}]
    assert beta in conditions
    assert world.deployment("green")["spec"]["replicas"] == 4
    assert rollout_of(world)["phase"] == "Paused"
    promote(world)
    assert served_slot(world) == "green"


def test_another_strategy_in_mid_rollout_starts_over() -> None:
    world = start("Shadow")
    revision = candidate(world)["revision"]
    world.change(rollout={"strategy": "RollingUpdate"})
    world.run()
    assert rollout_of(world)["stableRevision"] == revision
    assert served_slot(world) == "blue"
    world.run(seconds=11)
    assert world.deployment("green")["spec"]["replicas"] == 0
