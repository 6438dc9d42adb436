"""Inputs that another TrainingJob makes: waited for, chosen once, recorded, or refused."""

import json
from typing import Any

import pytest

from slipway.api import TrainingJob
from slipway.training import reasons
from tests.unit.training.simulation import (
    PACKAGE,
    SHA,
    Cluster,
    condition,
    spec,
    trained,
    training_job,
)

TEACHER = {"name": "teacher", "trainingJob": {"name": "big"}}
PLACE = "s3://slipway/models/default/big/uid-big"
OTHER_SHA = "cd" * 32
MOMENT = "2026-01-01T11:00:00Z"
ENCRYPTED = {
    "keySecretRef": {"name": "archive-keys", "key": "keyset.json"},
    "associatedData": "default/big/uid-big/1/big-1.0.mar",
}


def archive(version: str = "1.0", sha256: str = SHA, **more: Any) -> dict[str, Any]:
    return {
        "uri": f"{PLACE}/big-{version}.mar",
        "sha256": sha256,
        "sizeBytes": 9,
        "modelName": "big",
        "modelVersion": version,
        **more,
    }


def ended(type_: str, reason: str = "Completed") -> dict[str, Any]:
    found = {"type": type_, "status": "True", "reason": reason}
    return {"conditions": [{**found, "message": "", "lastTransitionTime": MOMENT}]}


def other(name: str = "big", status: dict[str, Any] | None = None, **fields: Any) -> TrainingJob:
    made = training_job(spec(**{"package": PACKAGE, **fields}), status)
    meta = made.metadata.model_copy(update={"name": name, "uid": f"uid-{name}"})
    return made.model_copy(update={"metadata": meta})


def with_archive(**package: Any) -> TrainingJob:
    done = {"phase": "Succeeded", **ended("Succeeded"), "package": archive(**package)}
    return other(status=done)


def student(others: list[TrainingJob], **fields: Any) -> Cluster:
    cluster = Cluster(spec(**{"inputs": [TEACHER], **fields}))
    cluster.other_jobs = {one.metadata.name: one for one in others}
    return cluster


def waits(cluster: Cluster) -> tuple[str, str]:
    """Reconcile, check that nothing was created and it is tried again, and say why."""
    plan = cluster.settle()
    assert (plan.apply, plan.requeue_after) == ((), 10)
    assert (cluster.status["phase"], cluster.job()) == ("Pending", None)
    created = condition(cluster, "Created")
    assert (condition(cluster, "Queued")["status"], created["status"]) == ("True", "False")
    return created["reason"], created["message"]


def ends(cluster: Cluster) -> tuple[str, str]:
    """Reconcile, check that the job has failed without any pod, and say why."""
    cluster.settle()
    assert (cluster.status["phase"], cluster.job()) == ("Failed", None)
    failed = condition(cluster, "Failed")
    return failed["reason"], failed["message"]


def bringer(cluster: Cluster) -> dict[str, Any]:
    """Return the init container that brings the input."""
    job = cluster.job()
    assert job is not None
    containers = job["spec"]["template"]["spec"]["initContainers"]
    found: dict[str, Any] = next(one for one in containers if one["name"] == "input-teacher")
    return found


def told(cluster: Cluster) -> dict[str, Any]:
    """Return what that container is told."""
    env = {one["name"]: one.get("value") for one in bringer(cluster)["env"]}
    found: dict[str, Any] = json.loads(env["SLIPWAY_INPUT"].replace("$$", "$"))
    return found


def test_a_job_that_is_not_there_is_waited_for() -> None:
    reason, message = waits(student([]))
    assert reason == "TrainingJobNotFound"
    assert "no TrainingJob big" in message
    assert "input teacher" in message


def test_a_job_that_trains_is_waited_for_and_its_phase_is_told() -> None:
    reason, message = waits(student([other(status={"phase": "Running"})]))
    assert reason == "WaitingForTrainingJob"
    assert message == (
        "TrainingJob big, whose archive is the input teacher, is Running; the job starts once it "
        "is made."
    )


def test_a_job_without_a_package_is_waited_for_since_one_may_be_added() -> None:
    done = {"phase": "Succeeded", **ended("Succeeded")}
    reason, message = waits(student([other(status=done, package=None)]))
    assert reason == "TrainingJobHasNoPackage"
    assert "add spec.package" in message


def test_waiting_costs_one_status_write_whatever_comes_between() -> None:
    cluster = student([other(status={"phase": "Running"})])
    for _ in range(5):
        cluster.reconcile()
        cluster.wait(10)
    assert cluster.writes == ["status TrainingJob"]


def test_a_job_that_waited_too_long_for_another_ends() -> None:
    cluster = student([], queueDeadlineSeconds=60)
    waits(cluster)
    cluster.wait(61)
    reason, message = ends(cluster)
    assert reason == "QueueDeadlineExceeded"
    assert "no TrainingJob big" in message


def test_the_status_keeps_the_archive_before_any_pod_brings_it() -> None:
    cluster = student([with_archive()])
    plan = cluster.reconcile()
    assert (plan.apply, plan.requeue_after) == ((), 0.0)
    assert cluster.status["inputs"] == [
        {
            "name": "teacher",
            "sha256": SHA,
            "uri": f"{PLACE}/big-1.0.mar",
            "trainingJob": "big",
            "trainingJobUID": "uid-big",
            "modelVersion": "1.0",
        }
    ]
    assert condition(cluster, "Created")["reason"] == "InputsChosen"
    cluster.settle()
    assert told(cluster) == {
        "name": "teacher",
        "uri": f"{PLACE}/big-1.0.mar",
        "sha256": SHA,
        "archive": {},
    }


def test_a_job_that_cannot_be_read_is_not_told_as_missing() -> None:
    cluster = student([])
    cluster.other_jobs = {"big": None}
    reason, message = waits(cluster)
    assert reason == "WaitingForTrainingJob"
    assert "big" in message
    assert "cannot be read" in message


def test_a_job_that_waited_starts_when_the_archive_comes() -> None:
    cluster = student([other(status={"phase": "Packaging"})])
    waits(cluster)
    cluster.other_jobs = {"big": with_archive()}
    cluster.settle()
    assert len(cluster.pods()) == 1


def test_a_restart_gets_the_same_bytes_whatever_the_other_job_made_since() -> None:
    cluster = student([with_archive()], restart={"maxRestarts": 1})
    cluster.settle()
    first = told(cluster)
    cluster.other_jobs = {"big": with_archive(version="1.1", sha256=OTHER_SHA)}
    (pod,) = cluster.pods()
    cluster.finish(pod, 1)
    cluster.settle()
    cluster.wait(120)
    cluster.settle()
    assert cluster.status["attempt"] == 1
    assert told(cluster) == first
    cluster.other_jobs = {}
    cluster.start()
    cluster.settle()
    assert cluster.status["inputs"][0]["sha256"] == SHA


def test_a_pod_has_no_say_in_which_archive_it_brought() -> None:
    cluster = student([with_archive()])
    cluster.settle()
    (pod,) = cluster.pods()
    word = json.dumps({"reason": "Fetched", "exitCode": 0, "sha256": OTHER_SHA})
    brought = {"name": "input-teacher", "state": {"terminated": {"exitCode": 0, "message": word}}}
    pod["status"] = {
        "phase": "Running",
        "initContainerStatuses": [brought],
        "containerStatuses": [{"name": "trainer", "state": {"running": {}}}],
    }
    cluster.settle()
    assert [one["sha256"] for one in cluster.status["inputs"]] == [SHA]


def test_the_version_that_is_asked_for_may_be_an_earlier_one_of_the_jobs() -> None:
    earlier = [
        {"number": 2, "uri": "s3://slipway/no", "sha256": OTHER_SHA, "modelVersion": "1.1"},
        {"number": 1, "uri": f"{PLACE}/a.mar", "sha256": OTHER_SHA, "modelVersion": "1.0"},
    ]
    done = {**ended("Succeeded"), "package": archive("1.2"), "earlierPackages": earlier}
    cluster = student([other(status=done)], inputs=[asking("1.0")])
    cluster.settle()
    (chosen,) = cluster.status["inputs"]
    assert (chosen["uri"], chosen["modelVersion"]) == (f"{PLACE}/a.mar", "1.0")


def asking(version: str) -> dict[str, Any]:
    return {"name": "teacher", "trainingJob": {"name": "big", "modelVersion": version}}


@pytest.mark.parametrize("mark", [{"rejected": True}, {"removing": True}], ids=str)
def test_an_earlier_archive_that_was_rejected_or_goes_is_not_brought(mark: dict[str, Any]) -> None:
    earlier = {"number": 1, "uri": f"{PLACE}/a.mar", "sha256": OTHER_SHA, "modelVersion": "1.0"}
    done = {
        "phase": "Succeeded",
        **ended("Succeeded"),
        "package": archive("1.1"),
        "earlierPackages": [{**earlier, **mark}],
    }
    reason, message = waits(student([other(status=done)], inputs=[asking("1.0")]))
    assert reason == "ModelVersionNotFound"
    assert "has none of version 1.0" in message
    assert "1.1" in message


def test_a_job_that_failed_without_an_archive_ends_those_that_ask_for_it() -> None:
    cluster = student([other(status={"phase": "Failed", **ended("Failed", "ScriptFailed")})])
    reason, message = ends(cluster)
    assert reason == "TrainingJobFailed"
    assert "TrainingJob big" in message
    assert "(ScriptFailed)" in message


def test_an_archive_that_missed_its_gates_is_refused_with_the_figure() -> None:
    gate = {"metric": "accuracy", "verdict": "Failed", "value": "0.8", "message": "accuracy is 0.8"}
    rejected = {
        "phase": "Failed",
        **ended("Failed", "Rejected"),
        "rejectedPackage": archive(gates=[gate]),
    }
    reason, message = ends(student([other(status=rejected)]))
    assert reason == "PackageRejected"
    assert message.endswith("missed its gates, so it is not used: accuracy is 0.8.")


def test_an_archive_that_was_stored_before_a_failed_packaging_is_brought() -> None:
    status = {"phase": "Failed", **ended("Failed", "PackagingFailed"), "package": archive()}
    cluster = student([other(status=status)])
    cluster.settle()
    assert len(cluster.pods()) == 1


def test_a_job_that_asks_for_its_own_archive_ends() -> None:
    own = {"name": "teacher", "trainingJob": {"name": "quick"}}
    reason, message = ends(student([], inputs=[own]))
    assert reason == "InputCircle"
    assert "the job's own archive" in message


def test_jobs_that_wait_for_each_other_say_so_with_the_way_round() -> None:
    def after(name: str) -> list[dict[str, Any]]:
        return [{"name": "before", "trainingJob": {"name": name}}]

    big, third = other(inputs=after("third")), other("third", inputs=after("quick"))
    cluster = student([big, third])
    reason, message = waits(cluster)
    assert reason == "InputCircle"
    assert "quick -> big -> third -> quick" in message
    cluster.other_jobs["third"] = other("third")
    cluster.wait(10)
    assert waits(cluster)[0] == "WaitingForTrainingJob"


def test_an_encrypted_archive_is_opened_by_its_key_in_the_container_that_brings_it_alone() -> None:
    cluster = student([with_archive(encryption=ENCRYPTED)])
    cluster.settle()
    keyset = "/slipway/keys/input-teacher/keyset.json"
    opening = {"keyset": keyset, "associatedData": ENCRYPTED["associatedData"]}
    assert told(cluster)["archive"] == opening
    job = cluster.job()
    assert job is not None
    pod = job["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if one["name"].startswith("slipway-key-"))
    item = {"key": "keyset.json", "path": "keyset.json"}
    secret = {"secretName": "archive-keys", "items": [item], "optional": True}
    assert volume["secret"] == secret
    holders = [
        one["name"]
        for one in (*pod["initContainers"], *pod["containers"])
        if volume["name"] in {mounted["name"] for mounted in one["volumeMounts"]}
    ]
    assert holders == ["input-teacher"]


@pytest.mark.parametrize(
    "reason",
    [
        reasons.KEY_NOT_FOUND,
        reasons.INVALID_KEY,
        reasons.WRONG_KEY,
        reasons.ARCHIVE_CUT,
        reasons.ARCHIVE_CHANGED,
    ],
)
def test_an_archive_that_cannot_be_decrypted_fails_the_job_with_its_own_reason(reason: str) -> None:
    cluster = student([with_archive(encryption=ENCRYPTED)], restart={"policy": "Never"})
    cluster.settle()
    (pod,) = cluster.pods()
    word = json.dumps({"reason": reason, "exitCode": 1, "message": "It is not decrypted."})
    state = {"terminated": {"exitCode": 1, "message": word, "finishedAt": "2026-01-01T12:00:01Z"}}
    pod["status"] = {
        "phase": "Failed",
        "initContainerStatuses": [{"name": "input-teacher", "state": state}],
    }
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == reason


def test_an_archive_whose_key_is_the_operators_own_secret_is_refused() -> None:
    own = {"keySecretRef": {"name": "slipway-store", "key": "AWS_SECRET_ACCESS_KEY"}}
    reason, message = ends(student([with_archive(encryption=own)]))
    assert reason == "SecretForbidden"
    assert "slipway-store" in message


def test_an_archive_in_a_place_that_is_not_the_namespaces_is_refused() -> None:
    elsewhere = "s3://slipway/models/other/big/uid/big-1.0.mar"
    done = {**ended("Succeeded"), "package": {**archive(), "uri": elsewhere}}
    reason, message = ends(student([other(status=done)]))
    assert reason == "ForbiddenUri"
    assert "inputs[teacher].trainingJob" in message


def test_the_record_says_whose_archive_it_was_and_of_which_version() -> None:
    cluster = student([with_archive()], package=PACKAGE)
    cluster.settle()
    cluster.other_jobs = {}
    cluster.finish_all(message=trained())
    cluster.settle()
    job = cluster.job("package")
    assert job is not None
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    lineage = next(one["value"] for one in env if one["name"] == "SLIPWAY_LINEAGE")
    assert json.loads(lineage)["inputs"] == [
        {
            "name": "teacher",
            "uri": f"{PLACE}/big-1.0.mar",
            "sha256": SHA,
            "trainingJob": "big",
            "trainingJobUID": "uid-big",
            "modelVersion": "1.0",
        }
    ]


def test_what_a_later_packaging_keeps_of_an_earlier_one_has_its_version_and_encryption() -> None:
    from slipway.api.training.status import PackageStatus, TrainingJobStatus
    from slipway.training.report.status import earlier_packages

    first = PackageStatus.model_validate(archive(number=1, encryption=ENCRYPTED))
    second = PackageStatus.model_validate(archive("1.1", number=2))
    (kept,) = earlier_packages(TrainingJobStatus(package=first), second)
    assert kept.model_version == "1.0"
    assert kept.encryption == first.encryption
