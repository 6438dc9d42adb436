"""What a candidate does while no stable pod is ready, and what it leaves to read."""

import json

import pytest

from slipway.api.serving.analysis import AnalysisState
from slipway.serving import reasons
from slipway.serving.analysis import judgment
from tests.unit.serving.rollout.progressive import (
    canary,
    candidate,
    model,
    rollout_of,
    served_slot,
    serving,
)
from tests.unit.serving.rollout.test_rollback import ANALYSIS, check_rolled_back, judge
from tests.unit.serving.world import World, main_status, terminated, waiting

LOAD_FAILED = json.dumps({"reason": "ModelLoadFailed", "message": "No module named 'nope'."})


def stable_falls(world: World) -> None:
    """Let all stable pods end, and be unable to load their model again."""
    world.up("blue", ready=0)
    pod = world.add_pod("web-blue-1", rollout_of(world)["stableRevision"])
    pod["status"] = main_status("torchserve", state=terminated(1, LOAD_FAILED))


def fallen(**rollout: object) -> World:
    world = serving(canary({"setWeight": 50}, {"pause": {}}) | rollout)
    world.change(model=model("new"))
    world.run()
    stable_falls(world)
    world.reconcile()
    return world


def wait(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.reconcile()


def test_a_ready_candidate_takes_over_once_no_stable_pod_was_ready_for_a_minute() -> None:
    world = fallen()
    new = candidate(world)["revision"]
    wait(world, 58)
    assert served_slot(world) == "blue"
    assert world.plan().requeue_after is not None
    wait(world, 4)
    assert served_slot(world) == "green"
    world.run()
    assert rollout_of(world)["stableRevision"] == new
    message = rollout_of(world)["history"][0]["message"]
    assert "It took over at step 2: for 60 s no pod of revision" in message
    assert ("Warning", reasons.TOOK_OVER) in world.told()


def test_one_ready_pod_is_enough_to_take_over() -> None:
    world = fallen()
    world.up("green", ready=1)
    wait(world, 62)
    assert served_slot(world) == "green"


def test_a_candidate_that_is_not_ready_itself_does_not_take_over() -> None:
    world = fallen()
    world.up("green", ready=0)
    wait(world, 90)
    assert served_slot(world) == "blue"


def test_a_stable_pod_that_comes_back_in_time_goes_on_with_the_rollout() -> None:
    world = fallen()
    wait(world, 40)
    world.up("blue")
    wait(world, 1)
    stable_falls(world)
    wait(world, 40)
    assert served_slot(world) == "blue"
    assert candidate(world)["step"] == 1


def test_a_rollout_that_a_person_holds_is_not_taken_over() -> None:
    world = fallen(paused=True)
    wait(world, 90)
    assert served_slot(world) == "blue"


def test_the_stable_revisions_own_problem_is_told() -> None:
    world = fallen()
    for type_ in (reasons.AVAILABLE, reasons.READY):
        condition = world.condition(type_)
        assert (condition.status, condition.reason) == ("False", reasons.MODEL_LOAD_FAILED)
        assert "No module named 'nope'" in condition.message
        assert "takes over" in condition.message
    assert "50 % of the requests go" not in world.condition(reasons.PROGRESSING).message
    assert "No stable pod is ready" in world.condition(reasons.PROGRESSING).message


def test_no_replicas_in_mid_rollout_are_none_for_the_candidate_too() -> None:
    world = serving(canary({"setWeight": 50}, {"pause": {"duration": "10s"}}))
    world.change(model=model("new"))
    world.run()
    world.change(replicas=0)
    world.run()
    wait(world, 120)
    assert world.deployment("green")["spec"]["replicas"] == 0
    assert world.condition(reasons.READY).reason != reasons.SERVING
    assert candidate(world)["step"] == 1
    world.change(replicas=4)
    world.run()
    world.run()
    assert world.deployment("green")["spec"]["replicas"] > 0


def failing(restarts: int) -> World:
    world = serving(canary())
    world.change(model=model("new"))
    world.reconcile()
    pod = world.add_pod("web-green-1", candidate(world)["revision"])
    last = terminated(1, LOAD_FAILED)
    state = waiting("CrashLoopBackOff")
    pod["status"] = main_status("torchserve", restartCount=restarts, state=state, lastState=last)
    world.up("green", ready=0)
    world.reconcile()
    return world


def test_a_candidate_whose_model_failed_to_load_three_times_goes_back_at_once() -> None:
    world = failing(restarts=2)
    check_rolled_back(world, rollout_of(world)["stableRevision"], reasons.MODEL_LOAD_FAILED)
    assert "No module named 'nope'" in rollout_of(world)["failed"]["message"]


def test_a_candidate_is_given_three_starts() -> None:
    world = failing(restarts=1)
    assert candidate(world)["revision"]


def test_the_figures_of_a_passed_analysis_are_kept_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = serving(canary({"setWeight": 20}, {"analysis": ANALYSIS}, {"setWeight": 50}))
    world.change(model=model("new"))
    world.run()
    judge(monkeypatch, "Successful", "errors: 1 of 380 requests.")
    world.run()
    world.run()
    entry = rollout_of(world)["history"][0]
    assert entry["outcome"] == "Promoted"
    assert entry["message"] == "The analysis of step 2 passed: errors: 1 of 380 requests."
    assert world.told().count(("Normal", reasons.ANALYSIS_PASSED)) == 1


def test_a_background_analysis_leaves_its_last_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [{"name": "errors", "verdict": "Successful", "message": "errors: 0"}]
    state = AnalysisState.model_validate(
        {"phase": "Running", "message": "errors: 0 of 90.", "measurements": figures}
    )
    monkeypatch.setattr(judgment, "evaluate", lambda *_: state)
    world = serving(canary({"setWeight": 20}, analysis=ANALYSIS))
    world.change(model=model("new"))
    world.run()
    world.run()
    message = rollout_of(world)["history"][0]["message"]
    assert message == "The analysis in the background: errors: 0 of 90."


def test_one_row_of_the_status_speaks_of_the_revision_that_serves() -> None:
    world = serving(canary())
    first, archive = rollout_of(world)["stableRevision"], world.status["model"]["uri"]
    world.change(model=model("new"))
    world.run()
    for word in ("", candidate(world)["revision"]):
        world.annotations["slipway.dev/rollout-abort"] = word
        world.run()
        assert (world.status["revision"], world.status["model"]["uri"]) == (first, archive)
        assert world.status["replicas"] == world.status["readyReplicas"] == 4
        assert world.status["resolvedModel"]["uri"] == model("new")["uri"]
    assert rollout_of(world)["phase"] == "RolledBack"
