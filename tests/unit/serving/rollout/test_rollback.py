"""Going back to stable: by itself, by request, and what is told of it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from slipway.api.serving.analysis import AnalysisState
from slipway.plan import ObjectRef
from slipway.serving import reasons
from slipway.serving.analysis import judgment
from slipway.serving.observed.deaths import Death
from tests.unit.serving.rollout.progressive import (
    canary,
    candidate,
    model,
    rollout_of,
    routes,
    served_slot,
    service,
    serving,
)
from tests.unit.serving.world import (
    World,
    fetch_word,
    init_status,
    main_status,
    terminated,
    waiting,
)

METRIC = {"name": "errors", "successRate": {}, "successCondition": "result >= 0.99"}
ANALYSIS = {"metrics": [METRIC], "interval": "30s"}
WITH_ANALYSIS = canary({"setWeight": 20}, {"analysis": ANALYSIS}, {"setWeight": 50})


def judge(monkeypatch: pytest.MonkeyPatch, phase: str, message: str = "errors: 0.05") -> None:
    def evaluate(_: Any, state: AnalysisState, *__: Any) -> AnalysisState:
        if state.phase in ("Successful", "Failed"):
            return state
        return AnalysisState.model_validate({"phase": phase, "message": message})

    monkeypatch.setattr(judgment, "evaluate", evaluate)


def start(rollout: dict[str, Any] | None = None) -> World:
    world = serving(rollout or canary())
    world.change(model=model("new"))
    world.run()
    return world


def check_rolled_back(world: World, stable: str, reason: str) -> None:
    assert rollout_of(world)["phase"] == "RolledBack"
    assert rollout_of(world)["stableRevision"] == stable
    assert rollout_of(world)["stableWeight"] == 100
    assert "candidate" not in rollout_of(world)
    assert rollout_of(world)["failed"]["reason"] == reason
    assert "weighted_clusters" not in routes(world, stable)
    assert served_slot(world) == "blue"
    condition = world.condition(reasons.PROGRESSING)
    assert (condition.status, condition.reason) == ("False", reason)
    assert ("Warning", reason) in world.told()


def test_a_failed_analysis_takes_all_requests_away_at_once_and_tells_the_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    stable, new = rollout_of(world)["stableRevision"], candidate(world)["revision"]
    assert candidate(world)["current"] == "analysis"
    judge(monkeypatch, "Failed", "errors: 0.05 of 400 requests, and result >= 0.99 does not hold")
    world.reconcile()
    check_rolled_back(world, stable, reasons.ANALYSIS_FAILED)
    assert "0.05 of 400 requests" in rollout_of(world)["failed"]["message"]
    assert "20 %" in rollout_of(world)["failed"]["message"]
    (event,) = [one for one in world.events if one.reason == reasons.ANALYSIS_FAILED]
    assert new in event.message
    assert "0.05 of 400 requests" in event.message
    entry = rollout_of(world)["history"][0]
    assert (entry["revision"], entry["outcome"]) == (new, "RolledBack")
    assert entry["uri"] == "s3://slipway/shared/new.mar"


def test_a_failed_revision_is_kept_at_zero_replicas_once_no_request_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    judge(monkeypatch, "Failed")
    world.run()
    assert world.deployment("green")["spec"]["replicas"] == 1
    world.run(seconds=11)
    green = world.deployment("green")
    assert green["spec"]["replicas"] == 0
    labels = green["spec"]["template"]["metadata"]["labels"]
    assert labels["slipway.dev/revision"] == rollout_of(world)["failed"]["revision"]


def test_a_failed_revision_is_not_tried_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    judge(monkeypatch, "Failed")
    world.run()
    world.run(seconds=86_400)
    assert rollout_of(world)["phase"] == "RolledBack"
    assert len(rollout_of(world)["history"]) == 2


@pytest.mark.parametrize("by", ["field", "annotation"])
def test_a_new_word_for_a_retry_tries_the_failed_revision_again_once(
    monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    judge(monkeypatch, "Failed")
    world.run()
    failed = rollout_of(world)["failed"]["revision"]
    if by == "field":
        world.change(rollout={**WITH_ANALYSIS, "retry": "once-more"})
    else:
        world.annotations["slipway.dev/rollout-retry"] = "once-more"
    judge(monkeypatch, "Running")
    world.run()
    assert candidate(world)["revision"] == failed
    judge(monkeypatch, "Failed")
    world.run()
    world.run(seconds=60)
    assert rollout_of(world)["phase"] == "RolledBack"


def test_a_good_analysis_lets_the_next_step_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    world.run(seconds=3600)
    assert candidate(world)["weight"] == 20
    judge(monkeypatch, "Successful")
    world.run()
    world.run()
    assert rollout_of(world)["phase"] == "Complete"
    assert served_slot(world) == "green"


def test_too_little_traffic_holds_the_rollout_until_somebody_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Inconclusive", "errors: 0 of 50 requests")
    world = start(WITH_ANALYSIS)
    world.run(seconds=3600)
    assert rollout_of(world)["phase"] == "Progressing"
    condition = world.condition(reasons.PROGRESSING)
    assert (condition.status, condition.reason) == ("True", reasons.ANALYSIS_INCONCLUSIVE)
    assert "0 of 50 requests" in condition.message
    judge(monkeypatch, "Inconclusive", "errors: 3 of 50 requests")
    world.reconcile()
    for type_ in (reasons.PROGRESSING, reasons.READY):
        assert "3 of 50 requests" in world.condition(type_).message
    assert world.told().count(("Warning", reasons.ANALYSIS_INCONCLUSIVE)) == 1
    revision, step = candidate(world)["revision"], candidate(world)["step"]
    world.annotations["slipway.dev/rollout-promote"] = f"{revision}/{step}"
    world.run()
    world.run()
    assert rollout_of(world)["stableRevision"] == revision


@pytest.mark.parametrize("held", [{"paused": True}, {}])
def test_a_rollout_that_a_person_holds_is_paused_though_it_waits_for_traffic_too(
    monkeypatch: pytest.MonkeyPatch, held: dict[str, Any]
) -> None:
    judge(monkeypatch, "Inconclusive", "errors: 0 of 50 requests")
    rollout = canary({"setWeight": 20}, {"pause": {}}, analysis=ANALYSIS)
    world = start({**rollout, **held})
    world.annotations["slipway.dev/rollout-promote"] = f"{candidate(world)['revision']}/0"
    world.run()
    assert rollout_of(world)["phase"] == "Paused"
    reason = reasons.PAUSED if held else reasons.ANALYSIS_INCONCLUSIVE
    assert world.condition(reasons.PROGRESSING).reason == reason


def test_a_promoted_revision_that_waits_for_traffic_is_being_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Inconclusive", "errors: 0 of 50 requests")
    world = start({"strategy": "BlueGreen", "blueGreen": {"postPromotionAnalysis": ANALYSIS}})
    world.run()
    assert rollout_of(world)["phase"] == "Verifying"
    assert world.condition(reasons.PROGRESSING).reason == reasons.ANALYSIS_INCONCLUSIVE


def test_a_background_analysis_goes_on_through_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, "Running")
    world = start(canary({"setWeight": 20}, {"pause": {}}, analysis=ANALYSIS))
    stable = rollout_of(world)["stableRevision"]
    assert candidate(world)["background"]["phase"] == "Running"
    judge(monkeypatch, "Failed")
    world.run()
    check_rolled_back(world, stable, reasons.ANALYSIS_FAILED)


@pytest.mark.parametrize("by", ["field", "annotation"])
def test_an_abort_by_the_revisions_name_goes_back_to_stable(by: str) -> None:
    world = start()
    stable, revision = rollout_of(world)["stableRevision"], candidate(world)["revision"]
    if by == "field":
        world.change(rollout={**canary(), "abort": revision})
    else:
        world.annotations["slipway.dev/rollout-abort"] = revision
    world.run()
    check_rolled_back(world, stable, reasons.ABORTED)


def test_an_abort_of_another_revision_is_nothing_to_this_one() -> None:
    world = start()
    world.annotations["slipway.dev/rollout-abort"] = "0123456789"
    world.run()
    assert candidate(world)["weight"] == 20


def test_an_abort_of_a_rolling_update_brings_the_stable_revision_back() -> None:
    world = serving({"strategy": "RollingUpdate"})
    stable = rollout_of(world)["stableRevision"]
    world.change(model=model("new"))
    world.reconcile()
    assert world.revision != stable
    world.annotations["slipway.dev/rollout-abort"] = world.revision
    world.run()
    assert world.revision == stable
    assert rollout_of(world)["phase"] == "RolledBack"


def test_a_paused_rolling_update_replaces_no_pod() -> None:
    world = serving({"strategy": "RollingUpdate"})
    world.change(model=model("new"), rollout={"strategy": "RollingUpdate", "paused": True})
    world.reconcile()
    assert world.workload["spec"]["paused"] is True
    assert world.condition(reasons.PROGRESSING).reason == reasons.PAUSED
    world.change(rollout={"strategy": "RollingUpdate"})
    world.run()
    assert "paused" not in world.workload["spec"]
    assert rollout_of(world)["phase"] == "Complete"


def test_a_candidate_that_does_not_come_up_in_time_is_rolled_back_with_its_pods_problem() -> None:
    world = serving(canary())
    stable = rollout_of(world)["stableRevision"]
    world.change(model=model("new"))
    world.reconcile()
    world.reconcile()
    revision = candidate(world)["revision"]
    labels = world.deployment("green")["spec"]["template"]["metadata"]["labels"]
    assert labels["slipway.dev/revision"] == revision
    pod = world.add_pod("web-green-1", revision)
    pod["status"] = init_status("fetch", state=terminated(1, fetch_word("ModelNotFound", "Gone.")))
    world.reconcile()
    assert candidate(world)["weight"] == 0
    world.now += timedelta(seconds=901)
    world.reconcile()
    check_rolled_back(world, stable, reasons.PROGRESS_DEADLINE_EXCEEDED)
    assert "900 s" in rollout_of(world)["failed"]["message"]
    assert "Gone." in rollout_of(world)["failed"]["message"]


@pytest.mark.parametrize("reason", [reasons.DIGEST_MISMATCH, reasons.REJECTED])
def test_an_archive_that_must_not_be_served_is_rolled_back_at_once(reason: str) -> None:
    world = serving(canary())
    stable = rollout_of(world)["stableRevision"]
    world.change(model=model("new"))
    world.reconcile()
    pod = world.add_pod("web-green-1", candidate(world)["revision"])
    pod["status"] = init_status("fetch", state=terminated(1, fetch_word(reason, "No.")))
    world.reconcile()
    check_rolled_back(world, stable, reason)


def test_another_change_after_a_rollback_is_tried() -> None:
    world = start()
    world.annotations["slipway.dev/rollout-abort"] = candidate(world)["revision"]
    world.run()
    world.change(model=model("third"))
    world.run(seconds=11)
    assert "failed" not in rollout_of(world)
    assert candidate(world)["weight"] == 20


def led_to(world: World) -> tuple[str, str]:
    """Return the revisions of the green slot's pods and of those that its Service leads to."""
    labels = world.deployment("green")["spec"]["template"]["metadata"]["labels"]
    selector = service(world, "web-green")["spec"]["selector"]
    return labels["slipway.dev/revision"], selector["slipway.dev/revision"]


@pytest.mark.parametrize("aborted", [False, True])
def test_the_next_candidate_gets_the_slot_once_no_request_is_on_its_way_to_the_one_before(
    aborted: bool,
) -> None:
    world = start()
    first = candidate(world)["revision"]
    if aborted:
        world.annotations["slipway.dev/rollout-abort"] = first
        world.reconcile()
    world.change(model=model("third"))
    world.reconcile()
    third = candidate(world)["revision"]
    assert third != first
    assert led_to(world) == (first, first)
    world.run()
    assert led_to(world) == (first, first)
    assert candidate(world)["weight"] == 0
    world.run(seconds=11)
    assert led_to(world) == (third, third)
    assert candidate(world)["weight"] == 20


def test_a_candidate_that_never_had_pods_leaves_the_grace_to_the_one_before() -> None:
    world = start()
    first = candidate(world)["revision"]
    world.change(model=model("third"))
    world.run()
    world.change(model=model("fourth"))
    world.run()
    assert led_to(world) == (first, first)
    fourth = candidate(world)["revision"]
    world.run(seconds=11)
    assert led_to(world) == (fourth, fourth)
    assert rollout_of(world)["history"][0]["outcome"] == "Superseded"


@pytest.mark.parametrize("started_again", [True, False])
def test_the_last_lines_of_a_candidates_server_that_died_outlive_its_pods(
    monkeypatch: pytest.MonkeyPatch, started_again: bool
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    pod = world.add_pod("web-green-9", candidate(world)["revision"])
    end = terminated(137, "x" * 9000 + "\ncannot allocate memory", "OOMKilled")
    states = {"state": {"running": {}}, "lastState": end} if started_again else {"state": end}
    pod["status"] = main_status("torchserve", **states)
    judge(monkeypatch, "Failed")
    world.run()
    log = rollout_of(world)["failed"]["log"]
    assert log.startswith("The server ended: OOMKilled, exit code 137")
    assert log.endswith("cannot allocate memory")
    assert len(log) < 2100


def test_the_last_lines_of_a_candidates_worker_that_died_outlive_its_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    pod = world.add_pod("web-green-9", candidate(world)["revision"])
    world.deaths = {pod["metadata"]["uid"]: Death("it was ended by SIGSEGV", "in layer 3")}
    judge(monkeypatch, "Failed")
    world.run()
    log = rollout_of(world)["failed"]["log"]
    assert "it was ended by SIGSEGV" in log
    assert log.endswith("in layer 3")


def crashing(text: str, code: int = 1) -> dict[str, Any]:
    """Return the status of a pod whose server ended three times."""
    return main_status(
        "torchserve",
        state=waiting("CrashLoopBackOff"),
        lastState=terminated(code, text, "Error" if code else "Completed"),
        restartCount=3,
    )


def watched(**word: str) -> str:
    """Return the termination message of a server whose workers ended three times."""
    message = "The model cannot be loaded: its workers ended 3 times."
    return json.dumps({"reason": "ModelLoadFailed", "message": message, **word})


@pytest.mark.parametrize(
    ("status", "last"),
    [
        (crashing(watched(logTail="ValueError: no vocabulary")), "ValueError: no vocabulary"),
        (crashing("Traceback\nKeyError: 'weights'"), "KeyError: 'weights'"),
        (crashing("", code=0), "The server ended: Completed, exit code 0"),
    ],
    ids=["workers", "server", "server without an error"],
)
def test_the_last_lines_of_a_candidate_that_never_loaded_outlive_its_pods(
    status: dict[str, Any], last: str
) -> None:
    world = serving(canary())
    world.change(model=model("new"))
    world.reconcile()
    world.reconcile()
    world.up("green", 0)
    world.add_pod("web-green-9", candidate(world)["revision"])["status"] = status
    world.reconcile()
    assert rollout_of(world)["failed"]["reason"] == reasons.MODEL_LOAD_FAILED
    assert rollout_of(world)["failed"]["log"].endswith(last)


@pytest.mark.parametrize("by", ["a worker", "the server"])
def test_last_lines_that_are_seen_only_after_the_rollback_are_kept(
    monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    pod = world.add_pod("web-green-9", candidate(world)["revision"])
    judge(monkeypatch, "Failed")
    world.reconcile()
    assert rollout_of(world)["failed"]["log"] == ""
    if by == "a worker":
        world.deaths = {pod["metadata"]["uid"]: Death("the kernel killed it", "batch 7")}
    else:
        pod["status"] = main_status("torchserve", lastState=terminated(137, "batch 7", "OOMKilled"))
    world.reconcile()
    assert rollout_of(world)["failed"]["log"].endswith("batch 7")
    del world.children[ObjectRef.of(pod)]
    world.deaths = {}
    world.run(seconds=11)
    assert world.deployment("green")["spec"]["replicas"] == 0
    assert rollout_of(world)["failed"]["log"].endswith("batch 7")


def test_last_lines_of_another_revision_are_not_those_of_the_failed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    judge(monkeypatch, "Failed")
    world.reconcile()
    pod = world.add_pod("web-9", rollout_of(world)["stableRevision"])
    pod["status"] = main_status("torchserve", lastState=terminated(137, "batch 7", "OOMKilled"))
    world.run()
    assert rollout_of(world)["failed"]["log"] == ""


def test_what_is_kept_of_a_failed_revision_is_bounded_and_steers_no_terminal() -> None:
    world = serving(canary())
    world.change(model=model("new"))
    world.reconcile()
    world.reconcile()
    world.up("green", 0)
    evil = "\x1b[31mred\u202e s3://user:secret@bucket/key?X-Signature=abc " + "x" * 9000
    status = crashing(watched(message=evil, logTail=evil))
    world.add_pod("web-green-9", candidate(world)["revision"])["status"] = status
    world.reconcile()
    failed, last = rollout_of(world)["failed"], rollout_of(world)["history"][0]
    assert failed["reason"] == reasons.MODEL_LOAD_FAILED
    for text in (failed["message"], failed["log"], last["message"]):
        assert text
        assert len(text) <= 4096
        assert not {"\x1b", "\u202e"} & set(text)
        assert "secret" not in text
        assert "abc" not in text


def test_a_candidate_whose_servers_never_ended_leaves_no_last_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    world = start(WITH_ANALYSIS)
    judge(monkeypatch, "Failed")
    world.run()
    assert rollout_of(world)["failed"]["log"] == ""
