"""Which archive is served, and what is said while there is none."""

from dataclasses import replace
from typing import Any

import pytest

from slipway.api import TrainingJob
from slipway.observed.missing import GRACE_SECONDS
from slipway.plan import Event
from slipway.serving import reasons
from slipway.serving.model.resolution import resolve
from tests.unit.serving.world import JOB_MODEL, SHA, World, training_job


def test_an_archive_at_a_uri_is_served_under_the_deployments_name() -> None:
    world = World()
    world.reconcile()
    uri = "s3://slipway/shared/iris.mar"
    assert world.status["model"] == {"name": "web", "uri": uri, "sha256": SHA}
    assert world.condition(reasons.MODEL_READY).reason == reasons.RESOLVED


def test_a_packaged_training_job_is_served_under_its_models_name() -> None:
    world = World(JOB_MODEL)
    world.job = training_job("Succeeded")
    world.reconcile()
    assert world.status["model"]["name"] == "iris"
    assert world.status["model"]["trainingJob"] == "train"
    assert world.status["model"]["trainingJobUID"] == "job-1"


def test_a_training_job_that_cannot_be_read_is_not_told_as_missing() -> None:
    world = World(JOB_MODEL)
    unread = replace(world.snapshot(), is_job_unread=True)
    found = resolve(unread, world.settings)
    assert (found.model, found.reason) == (None, reasons.WAITING_FOR_TRAINING_JOB)
    assert "cannot be read: see its condition Stalled" in found.message


ENCRYPTION = {
    "keySecretRef": {"name": "keys", "key": "archives"},
    "associatedData": "demo/train/job-1/1/iris-1.0.mar",
}


def test_an_encrypted_package_is_opened_as_its_training_job_says() -> None:
    world, job = World(JOB_MODEL), training_job("Succeeded")
    job["status"]["package"]["encryption"] = ENCRYPTION
    world.job = job
    world.reconcile()
    assert world.status["model"]["encryption"] == ENCRYPTION
    (workload,) = [one for ref, one in world.children.items() if ref.kind == "Deployment"]
    fetch = workload["spec"]["template"]["spec"]["initContainers"][0]
    assert f"--associated-data={ENCRYPTION['associatedData']}" in fetch["args"]


OWN = {"batchSize": 4, "maxBatchDelay": 0, "responseTimeout": 300, "startupTimeout": 700}


def test_what_the_package_says_of_the_server_holds_and_is_told() -> None:
    world = World(JOB_MODEL)
    job = training_job("Succeeded")
    job["spec"]["package"]["config"] = {**OWN, "handler": {"labels": ["a"]}}
    world.job = job
    world.reconcile()
    assert world.status["server"] == {
        "workers": 1,
        "batchSize": 4,
        "maxBatchDelayMilliseconds": 0,
        "responseTimeoutSeconds": 300,
        "startupTimeoutSeconds": 700,
    }
    assert world.status["model"]["config"] == OWN


def test_the_spec_wins_over_the_package_and_defaults_fill_the_rest() -> None:
    server = {"responseTimeoutSeconds": 7, "batchSize": 2}
    world = World(JOB_MODEL, server=server)
    job = training_job("Succeeded")
    job["spec"]["package"]["config"] = {"responseTimeout": 300, "startupTimeout": 700}
    world.job = job
    world.reconcile()
    found = world.status["server"]
    assert (found["responseTimeoutSeconds"], found["batchSize"]) == (7, 2)
    assert (found["startupTimeoutSeconds"], found["maxBatchDelayMilliseconds"]) == (700, 100)


def test_of_an_archive_at_a_uri_only_the_specs_part_is_known() -> None:
    world = World(server={"responseTimeoutSeconds": 7})
    world.reconcile()
    assert world.status["server"] == {"workers": 1, "responseTimeoutSeconds": 7}


def test_the_deployment_may_give_the_model_another_name() -> None:
    world = World({**JOB_MODEL, "name": "flowers"})
    world.job = training_job("Succeeded")
    world.reconcile()
    assert world.status["model"]["name"] == "flowers"


def rejected_job() -> dict[str, Any]:
    """Return a job whose package missed a gate."""
    job = training_job("Failed")
    gate = {"metric": "accuracy", "verdict": "Failed", "value": "0.87"}
    gate["message"] = "accuracy is 0.87, and result >= 0.9 does not hold"
    made = training_job("Succeeded")["status"]["package"]
    job["status"]["rejectedPackage"] = {**made, "gates": [gate]}
    return job


WITHOUT_PACKAGE: list[tuple[dict[str, Any] | None, str, str]] = [
    (None, reasons.TRAINING_JOB_NOT_FOUND, "There is no TrainingJob train"),
    (training_job("Pending"), reasons.WAITING_FOR_TRAINING_JOB, "is Pending"),
    (training_job("Running"), reasons.WAITING_FOR_TRAINING_JOB, "is Running"),
    (training_job("Suspended"), reasons.WAITING_FOR_TRAINING_JOB, "is Suspended"),
    (training_job("Packaging"), reasons.WAITING_FOR_TRAINING_JOB, "is Packaging"),
    (training_job("Failed"), reasons.TRAINING_JOB_FAILED, "train failed"),
    (rejected_job(), reasons.PACKAGE_REJECTED, "accuracy is 0.87, and result >= 0.9 does not hold"),
    (training_job("Running", package=None), reasons.TRAINING_JOB_HAS_NO_PACKAGE, "spec.package"),
]


@pytest.mark.parametrize(("job", "reason", "words"), WITHOUT_PACKAGE)
def test_without_a_package_it_waits_and_says_why(
    job: dict[str, Any] | None, reason: str, words: str
) -> None:
    world = World(JOB_MODEL)
    world.job = job
    made = world.reconcile()
    assert made.apply == ()
    assert made.patch == ()
    for type_ in (reasons.MODEL_READY, reasons.READY):
        condition = world.condition(type_)
        assert (condition.status, condition.reason) == ("False", reason)
        assert words in condition.message
    assert world.condition(reasons.PROGRESSING).reason == reasons.WAITING_FOR_MODEL


@pytest.mark.parametrize("job", [case[0] for case in WITHOUT_PACKAGE[:7]])
def test_what_the_job_made_before_goes_on_being_served(job: dict[str, Any] | None) -> None:
    world = World(JOB_MODEL)
    world.job = training_job("Succeeded")
    world.roll_out()
    before = world.revision
    world.job = {**job, "metadata": {**job["metadata"], "uid": "job-2"}} if job else None
    world.reconcile()
    assert world.revision == before
    assert world.status["model"]["trainingJobUID"] == "job-1"
    condition = world.condition(reasons.MODEL_READY)
    assert (condition.status, condition.reason) == ("True", reasons.KEEPING_PREVIOUS)
    assert world.condition(reasons.READY).status == "True"


def test_a_job_that_ran_anew_is_rolled_out_once_it_is_packaged() -> None:
    world = World(JOB_MODEL)
    world.job = training_job("Succeeded")
    world.roll_out()
    before = world.revision
    world.job = training_job("Succeeded", uid="job-2")
    world.reconcile()
    assert world.revision != before
    assert world.status["model"]["trainingJobUID"] == "job-2"


def test_what_serves_is_left_alone_while_another_job_is_waited_for() -> None:
    world = World()
    world.roll_out()
    before = world.workload
    world.change(model=JOB_MODEL, server={"workers": 3})
    world.job = training_job("Running")
    made = world.reconcile()
    assert world.workload == before
    assert made.patch == ()
    assert world.status["model"]["uri"] == "s3://slipway/shared/iris.mar"
    assert world.condition(reasons.AVAILABLE).status == "True"
    ready = world.condition(reasons.READY)
    assert (ready.status, ready.reason) == ("False", reasons.WAITING_FOR_TRAINING_JOB)


def test_what_serves_can_be_scaled_while_a_job_is_waited_for() -> None:
    world = World()
    world.roll_out()
    world.change(model=JOB_MODEL, replicas=3)
    world.job = training_job("Running")
    world.reconcile()
    assert world.workload["spec"]["replicas"] == 3


SELECTOR = {"trainingJobSelector": {"matchLabels": {"model": "iris"}}}


def finished(uid: str, at: str) -> TrainingJob:
    job = training_job("Succeeded", uid=uid)
    job["status"]["completionTime"] = at
    return TrainingJob.model_validate(job)


def test_the_newest_package_of_the_selected_jobs_is_served() -> None:
    world = World(SELECTOR)
    world.reconcile()
    condition = world.condition(reasons.MODEL_READY)
    assert condition.reason == reasons.WAITING_FOR_TRAINING_JOB
    assert "trainingJobSelector" in condition.message
    old, new = finished("a", "2026-01-01T00:00:00Z"), finished("b", "2026-01-02T00:00:00Z")
    world.selected_jobs = (new, old)
    world.run()
    assert world.status["model"]["trainingJobUID"] == "b"
    assert world.condition(reasons.READY).status == "True"


MISSED = "accuracy is 0.87, and result >= 0.9 does not hold"


def test_a_deployment_whose_jobs_later_package_was_rejected_says_which_it_serves_and_why() -> None:
    world = World(JOB_MODEL)
    world.job = rejected_job()
    world.job["status"]["package"] = training_job("Succeeded")["status"]["package"]
    world.job["status"]["rejectedPackage"]["modelVersion"] = "1.1"
    world.run()
    told = world.condition(reasons.MODEL_READY)
    assert (told.status, told.reason) == ("True", reasons.RESOLVED)
    assert "That is version 1.0; version 1.1, packaged later, was rejected" in told.message
    assert MISSED in told.message
    world.job = training_job("Succeeded")
    world.run()
    assert "rejected" not in world.condition(reasons.MODEL_READY).message


def test_a_selector_tells_of_a_rejected_package_that_is_newer_than_what_it_serves() -> None:
    def rejected(at: str) -> TrainingJob:
        job = rejected_job()
        job["metadata"]["uid"], job["status"]["completionTime"] = "r", at
        return TrainingJob.model_validate(job)

    def told(world: World) -> str:
        world.run()
        return world.condition(reasons.MODEL_READY).message

    world = World(SELECTOR)
    world.rejected_job = rejected("2026-01-01T00:00:00Z")
    assert MISSED in told(world), "nothing is served, and this is why"
    world.selected_jobs = (finished("a", "2026-01-02T00:00:00Z"),)
    assert "rejected" not in told(world), "what was rejected is older"
    world.rejected_job = rejected("2026-01-03T00:00:00Z")
    assert "The newer one of TrainingJob train, version 1.0, was rejected" in told(world)
    assert MISSED in told(world)
    world.selected_jobs = ()
    assert MISSED in told(world), "what serves is kept, and this is newer"
    assert world.condition(reasons.MODEL_READY).reason == reasons.KEEPING_PREVIOUS


def test_a_newer_package_becomes_a_candidate_by_itself() -> None:
    steps = {"steps": [{"setWeight": 10}, {"pause": {}}]}
    world = World(SELECTOR, rollout={"strategy": "Canary", "canary": steps})
    world.selected_jobs = (finished("a", "2026-01-01T00:00:00Z"),)
    world.run()
    world.selected_jobs = (*world.selected_jobs, finished("b", "2026-01-02T00:00:00Z"))
    world.run()
    assert world.status["rollout"]["candidate"]["weight"] == 10
    assert world.status["resolvedModel"]["trainingJobUID"] == "b"
    assert world.status["model"]["trainingJobUID"] == "a"


def test_a_selected_job_that_is_deleted_takes_nobody_back_to_an_older_model() -> None:
    world = World(SELECTOR)
    old, new = finished("a", "2026-01-01T00:00:00Z"), finished("b", "2026-01-02T00:00:00Z")
    world.selected_jobs = (new, old)
    world.run()
    revision = world.revision
    for left in ((old,), ()):
        world.selected_jobs = left
        world.run()
        assert world.revision == revision
        assert world.condition(reasons.MODEL_READY).reason == reasons.KEEPING_PREVIOUS
        assert world.condition(reasons.READY).status == "True"


def test_the_stores_secret_is_made_only_where_the_store_is_read() -> None:
    assert secrets({"uri": "s3://slipway/shared/b.mar", "sha256": SHA}) == ["slipway-store"]
    assert secrets({"uri": "https://a/b.mar", "sha256": SHA}) == []
    own = {"uri": "s3://a/b.mar", "sha256": SHA, "credentialsSecretName": "mine"}
    assert secrets(own) == []


def secrets(model: dict[str, Any]) -> list[str]:
    made = World(model).plan()
    return [one["metadata"]["name"] for one in made.apply if one["kind"] == "Secret"]


def test_a_job_that_is_not_there_yet_is_told_at_once_and_warned_of_only_if_it_stays_away() -> None:
    world = World(JOB_MODEL)
    world.reconcile()
    assert world.condition(reasons.MODEL_READY).reason == reasons.TRAINING_JOB_NOT_FOUND
    (told,) = world.events
    assert (told.type, told.grace_seconds) == ("Warning", GRACE_SECONDS)
    world.job = training_job("Pending")
    world.reconcile()
    assert world.events[1:] == [
        Event("Normal", reasons.WAITING_FOR_TRAINING_JOB, world.events[1].message)
    ]
    world.job = training_job("Failed")
    world.reconcile()
    assert (world.events[-1].type, world.events[-1].grace_seconds) == ("Warning", 0.0)
