"""What keeps pods from serving, as it is told in conditions and events."""

import json
from typing import Any

import pytest

from slipway import __version__
from slipway.plan import PROBLEM_SECONDS
from slipway.serving import reasons
from tests.unit.serving.world import (
    World,
    fetch_word,
    init_status,
    main_status,
    terminated,
    waiting,
)

LOG = "\n".join(
    json.dumps({"time": "t", "level": "WARN", "message": text, "exception": ""})
    for text in ("loading", "ModuleNotFoundError: No module named 'handler'")
)
WATCHER = json.dumps(
    {
        "reason": "ModelLoadFailed",
        "message": "The model cannot be loaded: its workers ended 3 times.",
        "logTail": "ValueError: no vocabulary",
    }
)
SMOKE = json.dumps(
    {"reason": "SmokeTestFailed", "message": "The smoke test's answer is not the expected one."}
)
SAMPLES = json.dumps(
    {
        "reason": "SamplesFailed",
        "message": "Row 3 is not answered as when the archive was made: it is 1 instead of 2.",
    }
)
NO_SECRET = waiting("CreateContainerConfigError", 'secret "slipway-store" not found')
NO_KEY = waiting("CreateContainerConfigError", "couldn't find key token in Secret demo/keys")
NO_MAP = waiting("CreateContainerConfigError", 'configmap "settings" not found')
CRASHING = {"state": waiting("CrashLoopBackOff"), "restartCount": 3}
RUNNING: dict[str, Any] = {"running": {}}
NO_NODE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient cpu.",
}

EVICTED = {
    "phase": "Failed",
    "reason": "Evicted",
    "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ',
    **main_status("torchserve", state=terminated(137, "")),
}

Case = tuple[dict[str, Any], str, str]


def fetch_ended(reason: str) -> dict[str, Any]:
    return init_status("fetch", state=terminated(1, fetch_word(reason)))


ABOUT_THE_MODEL: list[Case] = [
    *(
        (fetch_ended(reason), reason, "It failed.")
        for reason in (
            reasons.DIGEST_MISMATCH,
            reasons.MODEL_NOT_FOUND,
            reasons.ACCESS_DENIED,
            reasons.STORE_UNAVAILABLE,
            reasons.INVALID_ARCHIVE,
            reasons.KEY_NOT_FOUND,
            reasons.INVALID_KEY,
            reasons.WRONG_KEY,
            reasons.ARCHIVE_CUT,
            reasons.ARCHIVE_CHANGED,
            reasons.SIGNATURE_MISSING,
            reasons.UNKNOWN_SIGNER,
            reasons.SIGNATURE_INVALID,
        )
    ),
    (fetch_ended("DiskFull"), reasons.FETCH_FAILED, "It failed."),
    (init_status("fetch", state=terminated(1, "Traceback")), reasons.FETCH_FAILED, "Traceback"),
    (init_status("fetch", state=terminated(2)), reasons.FETCH_FAILED, "exit code 2"),
    (
        init_status("fetch", lastState=terminated(75, fetch_word("StoreUnavailable")), **CRASHING),
        reasons.STORE_UNAVAILABLE,
        "It failed.",
    ),
    (init_status("fetch", state=NO_SECRET), reasons.SECRET_NOT_FOUND, "the Secret slipway-store,"),
    (main_status("torchserve", state=NO_KEY), reasons.SECRET_NOT_FOUND, "the Secret keys,"),
    (main_status("torchserve", state=NO_MAP), reasons.CONFIG_MAP_NOT_FOUND, "ConfigMap settings,"),
    (
        main_status("torchserve", lastState=terminated(1, LOG), **CRASHING),
        reasons.MODEL_LOAD_FAILED,
        "exit code 1; the log ended with:\nloading\nModuleNotFoundError: No module named 'handler'",
    ),
    (
        main_status("torchserve", lastState=terminated(143, SMOKE), **CRASHING),
        reasons.SMOKE_TEST_FAILED,
        "The smoke test's answer is not the expected one.",
    ),
    (
        init_status("slipway-hooks", lastState=terminated(1, SMOKE), **CRASHING),
        reasons.SMOKE_TEST_FAILED,
        "The smoke test's answer is not the expected one.",
    ),
    (
        init_status("slipway-hooks", state=RUNNING, lastState=terminated(1, SMOKE), started=True),
        reasons.SMOKE_TEST_FAILED,
        "The smoke test's answer is not the expected one.",
    ),
    (
        main_status("torchserve", lastState=terminated(143, SAMPLES), **CRASHING),
        reasons.SAMPLES_FAILED,
        "Row 3 is not answered as when the archive was made",
    ),
    (
        main_status("torchserve", lastState=terminated(143, WATCHER), **CRASHING),
        reasons.MODEL_LOAD_FAILED,
        "workers ended 3 times; the log ended with:\nValueError: no vocabulary",
    ),
    (
        main_status("torchserve", state={"running": {}}, lastState=terminated(143, LOG)),
        reasons.MODEL_LOAD_FAILED,
        "had not loaded the model in time",
    ),
    (
        main_status("torchserve", lastState=terminated(137, LOG, reason="OOMKilled"), **CRASHING),
        reasons.OUT_OF_MEMORY,
        "lower spec.server.workers; the log ended with:\nloading\nModuleNotFoundError",
    ),
    (
        main_status("torchserve", lastState=terminated(0, "bye"), **CRASHING),
        reasons.MODEL_LOAD_FAILED,
        "The server ended with exit code 0; the log ended with:\nbye",
    ),
]

ABOUT_THE_POD: list[Case] = [
    (
        init_status("warm", state=terminated(2, "no cache")),
        reasons.CONTAINER_FAILED,
        "The container warm ended with exit code 2; the log ended with:",
    ),
    (
        main_status("helper", lastState=terminated(0, "done"), **CRASHING),
        reasons.CONTAINER_FAILED,
        "The container helper ended with exit code 0; the log ended with:\ndone",
    ),
    (
        init_status("envoy", lastState=terminated(1, "bad config"), **CRASHING),
        reasons.PROXY_FAILED,
        "bad config",
    ),
    (
        init_status("slipway-hooks", lastState=terminated(1, "no port"), **CRASHING),
        reasons.CONTAINER_FAILED,
        "The container slipway-hooks ended with exit code 1; the log ended with:\nno port",
    ),
    (
        init_status("fetch", state=waiting("ImagePullBackOff", "Back-off")),
        reasons.IMAGE_PULL_FAILED,
        f"slipway-server:{__version__}",
    ),
    (
        init_status("fetch", state=waiting("ErrImagePull", "not found")),
        reasons.IMAGE_PULL_FAILED,
        f"slipway-server:{__version__}",
    ),
    (
        main_status("torchserve", state=waiting("RunContainerError", "no such device")),
        reasons.CONTAINER_CANNOT_START,
        "no such device",
    ),
    (
        main_status("torchserve", state=waiting("CreateContainerConfigError", "bad uid")),
        reasons.CONTAINER_CANNOT_START,
        "bad uid",
    ),
    ({"conditions": [NO_NODE]}, reasons.UNSCHEDULABLE, "Insufficient cpu"),
    (EVICTED, reasons.DISK_FULL, 'EmptyDir volume "tmp" exceeds the limit "1Gi". Raise'),
]


def world_with(status: dict[str, Any]) -> World:
    world = World()
    world.reconcile()
    world.add_pod(**status)
    world.pods_are(updated=1, available=0)
    world.reconcile()
    return world


def test_a_pod_that_waits_for_its_volumes_has_its_secret_put_back() -> None:
    world = world_with(init_status("fetch", state=waiting("PodInitializing")))
    assert world.plan().requeue_after is None
    for pod in world.children.values():
        if pod["kind"] == "Pod":
            pod["spec"]["nodeName"] = "a"
            pod["status"]["phase"] = "Pending"
    again = world.plan()
    assert again.requeue_after == PROBLEM_SECONDS
    assert "Secret" in {manifest["kind"] for manifest in again.apply}


@pytest.mark.parametrize(("status", "reason", "words"), ABOUT_THE_MODEL + ABOUT_THE_POD)
def test_a_problem_is_told_with_its_reason(status: dict[str, Any], reason: str, words: str) -> None:
    world = world_with(status)
    for type_ in (reasons.PROGRESSING, reasons.READY):
        condition = world.condition(type_)
        assert condition.reason == reason
        assert words in condition.message
    assert world.condition(reasons.READY).status == "False"
    assert world.told().count(("Warning", reason)) == 1
    assert world.plan().requeue_after


@pytest.mark.parametrize(("status", "reason", "words"), ABOUT_THE_MODEL)
def test_a_problem_with_the_model_makes_it_not_ready(
    status: dict[str, Any], reason: str, words: str
) -> None:
    condition = world_with(status).condition(reasons.MODEL_READY)
    assert (condition.status, condition.reason) == ("False", reason)
    assert words in condition.message


@pytest.mark.parametrize("status", [case[0] for case in ABOUT_THE_POD])
def test_another_problem_leaves_the_model_ready(status: dict[str, Any]) -> None:
    assert world_with(status).condition(reasons.MODEL_READY).status == "True"


@pytest.mark.parametrize("status", [case[0] for case in ABOUT_THE_MODEL + ABOUT_THE_POD])
def test_a_problem_that_stays_is_written_once(status: dict[str, Any]) -> None:
    world = world_with(status)
    before = world.status_writes
    pod = world.add_pod(**status)
    pod["metadata"]["name"] = "web-2"
    world.reconcile()
    assert world.status_writes == before


def test_an_evicted_pod_that_stays_beside_the_one_in_its_place_is_no_problem() -> None:
    world = world_with(EVICTED)
    world.add_pod("web-2", conditions=[{"type": "Ready", "status": "True"}])
    world.pods_are(updated=1, available=0)
    world.reconcile()
    assert world.condition(reasons.READY).reason == reasons.ROLLING_OUT


def test_a_problem_that_went_away_is_forgotten() -> None:
    world = world_with(fetch_ended("ModelNotFound"))
    status = init_status("fetch", ready=True, state=terminated(0, reason="Completed"))
    world.add_pod(**status, conditions=[{"type": "Ready", "status": "True"}])
    world.pods_are(updated=1, available=1)
    world.reconcile()
    assert world.condition(reasons.MODEL_READY).status == "True"
    assert world.condition(reasons.READY).status == "True"


@pytest.mark.parametrize(
    "status",
    [
        {},
        init_status("fetch", state={"running": {}}),
        init_status("fetch", state=waiting("PodInitializing")),
        init_status("fetch", state=terminated(75, fetch_word("Interrupted"))),
        main_status("torchserve", state=waiting("ContainerCreating")),
        main_status("torchserve", ready=True, lastState=terminated(1, LOG)),
        init_status("envoy", started=True, lastState=terminated(1, "killed")),
    ],
)
def test_what_passes_by_itself_is_no_problem(status: dict[str, Any]) -> None:
    world = world_with(status)
    assert world.condition(reasons.PROGRESSING).reason == reasons.ROLLING_OUT
    assert world.condition(reasons.MODEL_READY).status == "True"


def test_pods_of_other_revisions_and_pods_that_stop_do_not_count() -> None:
    world = World()
    world.reconcile()
    world.add_pod("other", revision="0123456789", **fetch_ended("ModelNotFound"))
    stopping = world.add_pod("stopping", **fetch_ended("ModelNotFound"))
    stopping["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    world.pods_are(updated=1, available=0)
    world.reconcile()
    assert world.condition(reasons.MODEL_READY).status == "True"


def test_one_pod_in_trouble_does_not_undo_a_complete_rollout() -> None:
    world = World(replicas=2)
    world.roll_out()
    world.add_pod("web-2", conditions=[{"type": "Ready", "status": "True"}])
    world.add_pod(**main_status("torchserve", lastState=terminated(1, LOG), **CRASHING))
    world.pods_are(updated=2, available=1)
    world.reconcile()
    assert world.condition(reasons.READY).status == "True"
    assert world.status["readyReplicas"] == 1


def test_past_the_deadline_the_message_says_what_is_wrong() -> None:
    world = world_with(fetch_ended("ModelNotFound"))
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    world.pods_are(updated=1, available=0, conditions=(stuck,))
    world.reconcile()
    condition = world.condition(reasons.PROGRESSING)
    assert condition.reason == reasons.PROGRESS_DEADLINE_EXCEEDED
    assert "It failed." in condition.message


def test_a_long_log_is_cut_to_its_end() -> None:
    log = "\n".join(f"line {number} {'x' * 200}" for number in range(100))
    status = main_status("torchserve", state=terminated(1, log))
    message = world_with(status).condition(reasons.MODEL_READY).message
    assert "line 99" in message
    assert "line 50" not in message
    assert len(message) < 2200
