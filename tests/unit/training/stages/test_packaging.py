"""From the end of the training to the archive."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slipway.plan import ObjectRef
from slipway.training.children.packaging_job import LONGEST_SECONDS
from slipway.training.planner import plan
from slipway_pods.package.package import joined
from tests.unit.training.simulation import (
    PACKAGE,
    SETTINGS,
    SHA,
    Cluster,
    condition,
    packaged,
    spec,
    trained,
    waiting,
)


def complete(**fields: Any) -> Cluster:
    """Return a cluster whose job has trained."""
    cluster = Cluster(spec(**{"nodes": 2, "package": PACKAGE, **fields}))
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.finish_all(message=trained(step=10, totalSteps=10))
    cluster.settle()
    return cluster


def test_a_job_without_a_package_has_succeeded_when_its_training_has() -> None:
    cluster = complete(package=None)
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["completionTime"] == "2026-01-01T12:00:00Z"
    assert cluster.job("package") is None
    assert "Packaged" not in [one["type"] for one in cluster.status["conditions"]]


def test_the_output_is_recorded_at_the_place_that_the_operator_chose() -> None:
    assert complete(package=None).status["output"] == {
        "uri": "s3://slipway/outputs/default/quick/uid-1",
        "files": 2,
        "sizeBytes": 2048,
    }


def stored(cluster: Cluster, **output: Any) -> None:
    """Let all pods end well, index 0 with a sidecar that has the last word on the output."""
    cluster.settle()
    cluster.finish_all(message=trained())
    for pod in cluster.all_pods():
        word = json.dumps({"reason": "Stored", "output": {"files": 3, "sizeBytes": 7, **output}})
        ended = {"exitCode": 0, "message": word}
        pod["status"]["initContainerStatuses"] = [{"name": "agent", "state": {"terminated": ended}}]
    cluster.control()


def test_what_the_output_lacks_is_named_by_the_sidecar_that_stored_it() -> None:
    cluster = Cluster(spec())
    first = [{"path": "stolen\x1b[2J", "why": "it is a link that leads out"}, "no object"]
    stored(cluster, skipped={"count": 12, "first": first})
    cluster.settle()
    assert cluster.status["output"] == {
        "uri": "s3://slipway/outputs/default/quick/uid-1",
        "files": 3,
        "sizeBytes": 7,
        "skipped": {
            "count": 12,
            "first": [{"path": "stolen?[2J", "why": "it is a link that leads out"}],
        },
    }
    message = condition(cluster, "Succeeded")["message"]
    assert message.endswith("Left out: 12, such as stolen?[2J (it is a link that leads out).")


@pytest.mark.parametrize(
    "skipped", [None, [], "x", {"count": 0}, {"count": "12"}, {"count": 2**63}, {"first": []}]
)
def test_what_is_no_list_of_what_was_left_out_is_none(skipped: Any) -> None:
    cluster = Cluster(spec())
    stored(cluster, skipped=skipped)
    cluster.settle()
    assert "skipped" not in cluster.status["output"]


def test_the_counts_of_an_output_outlive_the_pod_that_stored_it() -> None:
    cluster = Cluster(spec())
    stored(cluster)
    cluster.gone = [copy.deepcopy(pod) for pod in cluster.all_pods()]
    for pod in cluster.all_pods():
        cluster.delete(ObjectRef.of(pod))
    cluster.settle()
    assert (cluster.status["output"]["files"], cluster.status["output"]["sizeBytes"]) == (3, 7)


def test_an_output_stays_where_it_was_put_when_the_store_is_set_to_another_place() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.control()
    store = SETTINGS.store.model_copy(update={"uri": "s3://moved"})
    made = plan(cluster.snapshot(), SETTINGS.model_copy(update={"store": store}), cluster.now)
    assert made.status is not None
    assert made.status["output"]["uri"] == "s3://slipway/outputs/default/quick/uid-1"


def test_a_training_whose_last_word_is_lost_has_its_output_all_the_same() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.control()
    for pod in cluster.all_pods():
        cluster.delete(ObjectRef.of(pod))
    assert cluster.reconcile().requeue_after == 1
    cluster.wait(11)
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["output"]["uri"] == "s3://slipway/outputs/default/quick/uid-1"


def test_the_final_progress_comes_from_the_last_word() -> None:
    assert complete().status["progress"]["percent"] == 100


def test_a_job_with_a_package_packages_next() -> None:
    cluster = complete()
    assert cluster.status["phase"] == "Packaging"
    found = condition(cluster, "Packaged")
    assert (found["status"], found["reason"]) == ("False", "Packaging")
    assert len(cluster.pods("package")) == 1
    assert condition(cluster, "Running")["reason"] == "Completed"


def test_the_archive_is_recorded_and_the_job_has_succeeded() -> None:
    cluster = complete()
    cluster.start("package")
    cluster.settle()
    cluster.wait(30)
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert condition(cluster, "Packaged")["status"] == "True"
    made = cluster.status["package"]
    assert (made["sha256"], made["sizeBytes"]) == (SHA, 1234)
    assert cluster.status["completionTime"] == "2026-01-01T12:00:30Z"
    reasons = [reason for _, reason, _ in cluster.events]
    assert reasons == ["Created", "Started", "Packaging", "Packaged", "Succeeded"]


def test_where_the_archive_lies_is_what_the_packager_was_told_not_what_it_says() -> None:
    cluster = complete()
    cluster.start("package")
    cluster.finish_all("package", packaged())
    cluster.settle()
    made, place = cluster.status["package"], "s3://slipway/models/default/quick/uid-1"
    assert made["uri"] == f"{place}/quick-1.0.mar"
    assert made["lineageUri"] == f"{place}/lineage.json"


def test_the_training_is_not_repeated_when_its_job_is_deleted_while_packaging() -> None:
    cluster = complete()
    cluster.delete(ObjectRef("batch/v1", "Job", "default", "quick-train"))
    cluster.settle()
    assert cluster.job() is None
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["nodes"]["succeeded"] == 2


def test_a_packaging_job_that_somebody_deletes_is_created_again() -> None:
    cluster = complete()
    cluster.delete(ObjectRef("batch/v1", "Job", "default", "quick-package"))
    cluster.settle()
    assert len(cluster.pods("package")) == 1


def test_an_unavailable_store_is_told_while_the_job_controller_tries_again() -> None:
    cluster = complete()
    for _ in range(5):
        message = {"reason": "StoreUnavailable", "message": "The store refused the connection."}
        cluster.finish(cluster.pods("package")[0], 75, message)
        cluster.wait(10)
        cluster.settle()
        found = condition(cluster, "Packaged")
        assert (found["status"], found["reason"]) == ("False", "StoreUnavailable")
        why = "The store refused the connection. It is tried again while the packaging has time."
        assert found["message"] == why
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"


def test_repeated_tries_for_the_store_cost_one_status_write() -> None:
    cluster = complete()
    before = len(cluster.statuses)
    for _ in range(5):
        cluster.finish(cluster.pods("package")[0], 75, {"message": "The store is away."})
        cluster.settle()
    assert len(cluster.statuses) == before + 1


def test_a_packager_that_fails_for_good_fails_the_job_and_says_why() -> None:
    cluster = complete()
    message = {"reason": "FileNotFound", "message": "There is no model.pt."}
    for number in range(3):
        cluster.finish(cluster.pods("package")[0], 1, message)
        cluster.settle()
        if number < 2:
            assert "There is no model.pt." in condition(cluster, "Packaged")["message"]
    found = condition(cluster, "Failed")
    assert cluster.status["phase"] == "Failed"
    assert found["reason"] == condition(cluster, "Packaged")["reason"] == "PackagingFailed"
    assert "There is no model.pt." in found["message"]
    assert cluster.status["output"]["files"] == 2


def test_a_packaging_that_hangs_is_ended_after_a_day_and_says_what_it_did_last() -> None:
    cluster = complete()
    cluster.finish(cluster.pods("package")[0], 75, {"message": "The store is away."})
    cluster.settle()
    cluster.now += timedelta(seconds=LONGEST_SECONDS - 1)
    cluster.settle()
    assert cluster.status["phase"] == "Packaging"
    cluster.now += timedelta(seconds=2)
    cluster.settle()
    found = condition(cluster, "Failed")
    assert cluster.status["reason"] == found["reason"] == "PackagingDeadlineExceeded"
    assert found["reason"] == condition(cluster, "Packaged")["reason"]
    assert "took longer than 86400 s" in found["message"]
    assert "The store is away." in found["message"]
    assert "spec.package.repeat" in found["message"]
    assert cluster.status["output"]["files"] == 2


@pytest.mark.parametrize(("more", "seconds"), [({}, 7), ({"optimize": {"timeoutSeconds": 5}}, 12)])
def test_a_packaging_has_the_time_of_its_samples_and_forms_beside_its_own(
    more: dict[str, Any], seconds: int
) -> None:
    samples = {"file": "rows.jsonl", "timeoutSeconds": 7}
    cluster = complete(package={**PACKAGE, "samples": samples, **more})
    made = cluster.job("package")
    assert made is not None
    assert made["spec"]["activeDeadlineSeconds"] == LONGEST_SECONDS + seconds


@pytest.mark.parametrize("container", ["packager", "builder"])
def test_the_packagers_memory_is_raised_by_the_packages_resources(container: str) -> None:
    cluster = complete(package={**PACKAGE, "samples": {"file": "rows.jsonl"}})
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    kind = "containerStatuses" if container == "packager" else "initContainerStatuses"
    cluster.pods("package")[0]["status"] = {
        "phase": "Failed",
        kind: [{"name": container, "state": {"terminated": ended}}],
    }
    cluster.settle()
    message = condition(cluster, "Packaged")["message"]
    assert f"{container} used more memory than its limit. Raise spec.package.resources" in message


def test_a_packager_that_is_about_to_fail_is_not_said_to_be_tried_again() -> None:
    cluster = complete()
    for _ in range(2):
        cluster.finish(cluster.pods("package")[0], 1, {"message": "No."})
        cluster.settle()
    before = cluster.status
    cluster.finish(cluster.pods("package")[0], 1, {"message": "No, never."})
    cluster.reconcile()
    assert cluster.status == before


def test_a_source_that_cannot_be_copied_fails_the_packaging() -> None:
    cluster = complete(image="registry.example/train:1", source={"image": {"path": "/app"}})
    for _ in range(3):
        ended = {"exitCode": 1, "reason": "Error", "message": "No such file: /app"}
        cluster.pods("package")[0]["status"] = {
            "phase": "Failed",
            "initContainerStatuses": [{"name": "source", "state": {"terminated": ended}}],
        }
        cluster.settle()
    assert "No such file: /app" in condition(cluster, "Failed")["message"]


def test_a_packaging_pod_that_cannot_start_is_told() -> None:
    cluster = complete()
    cluster.pods("package")[0]["status"] = waiting(
        "packager", "CreateContainerConfigError", 'secret "slipway-store" not found'
    )
    cluster.settle()
    assert cluster.status["phase"] == "Packaging"
    assert condition(cluster, "Packaged")["reason"] == "SecretNotFound"
    assert cluster.plan().requeue_after


def test_a_packaging_pod_that_waits_for_its_volumes_has_its_secret_put_back() -> None:
    cluster = complete()
    assert cluster.plan().requeue_after is None
    cluster.pods("package")[0]["spec"]["nodeName"] = "a"
    cluster.pods("package")[0]["status"] = waiting("packager", "ContainerCreating")
    cluster.settle()
    again = cluster.plan()
    assert again.requeue_after
    assert "Secret" in {manifest["kind"] for manifest in again.apply}


def lose_the_packager(cluster: Cluster) -> None:
    cluster.finish_all("package", packaged())
    cluster.control()
    for pod in cluster.all_pods("package"):
        cluster.delete(ObjectRef.of(pod))


def test_a_lost_record_of_the_archive_is_waited_for_before_it_is_made_again() -> None:
    cluster = complete()
    lose_the_packager(cluster)
    made = cluster.reconcile()
    assert (made.requeue_after, made.delete) == (1, ())


def test_an_archive_whose_record_is_lost_is_made_again() -> None:
    cluster = complete()
    first = cluster.job("package")
    assert first is not None
    lose_the_packager(cluster)
    cluster.wait(11)
    made = cluster.reconcile()
    assert [gone.uid for gone in made.delete] == [first["metadata"]["uid"]]
    assert not made.apply
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert "PackagingRepeated" in [reason for _, reason, _ in cluster.events]


@pytest.mark.parametrize("word", ["", "raw text", {"package": {"sha256": "short"}}, {"package": 1}])
def test_a_record_that_cannot_be_read_fails_the_job_instead_of_turning_in_circles(
    word: str | dict[str, Any],
) -> None:
    cluster = complete()
    cluster.finish_all("package", word)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "PackagingFailed"


def test_the_lineage_names_the_image_that_trained_not_todays_default() -> None:
    cluster = Cluster(spec(package=PACKAGE))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.control()
    newer = SETTINGS.model_copy(update={"trainer_image": "slipway-trainer:9"})
    made = plan(cluster.snapshot(), newer, cluster.now)
    job = next(one for one in made.apply if one["kind"] == "Job")
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    lineage = next(one["value"] for one in env if one["name"] == "SLIPWAY_LINEAGE")
    assert '"image": "registry.example/slipway-trainer:0.1.0"' in lineage


def test_dollar_signs_in_the_package_reach_the_packager_as_they_are() -> None:
    cluster = Cluster(spec(package=PACKAGE, args=["$(HOME)", "$5"]))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.control()
    job = next(one for one in cluster.plan().apply if one["kind"] == "Job")
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    lineage = next(one["value"] for one in env if one["name"] == "SLIPWAY_LINEAGE")
    assert '"args": ["$$(HOME)", "$$5"]' in lineage


def test_a_job_complete_before_its_status_was_ever_written_is_read_as_such() -> None:
    cluster = complete()
    forgetful = replace(cluster, status={}, statuses=[])
    forgetful.finish_all("package", packaged())
    forgetful.settle()
    assert forgetful.status["phase"] == "Succeeded"
    assert forgetful.status["output"]["files"] == 2


def test_a_packager_that_waits_for_a_deleted_source_says_so_until_it_is_back() -> None:
    cluster = complete()
    cluster.source_gone = True
    made = cluster.settle()
    found = condition(cluster, "Packaged")
    assert (found["status"], found["reason"]) == ("False", "SourceNotFound")
    assert "ConfigMap code" in found["message"]
    assert made.requeue_after == 30
    cluster.source_gone = False
    cluster.settle()
    assert condition(cluster, "Packaged")["reason"] == "Packaging"


@settings(max_examples=6, deadline=None)
@given(
    args=st.lists(
        st.builds(
            lambda unit, count: unit * (count // len(unit)),
            st.sampled_from(["x", "$", "$(HOME)", '"', "\\", "\U0001f600", "\u4e2d", "\n"]),
            st.integers(0, 4096),
        ),
        max_size=128,
    )
)
@example(args=["\u4e2d$" * 2048] * 128)
def test_however_long_the_arguments_are_linux_starts_the_packager(args: list[str]) -> None:
    cluster = Cluster(spec(package=PACKAGE, args=args))
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.settle()
    found = cluster.job("package")
    assert found
    variables = found["spec"]["template"]["spec"]["containers"][0]["env"]
    for one in variables:
        assert len(f"{one['name']}={one.get('value', '')}".encode()) < 131_072
    told = {one["name"]: str(one.get("value", "")).replace("$$", "$") for one in variables}
    assert json.loads(joined(told, "SLIPWAY_LINEAGE"))["args"] == args


@pytest.mark.parametrize("place", ["s3://slipway/outputs/other/x", "s3://other/x", "s3://slipway/"])
def test_an_output_that_is_not_the_namespaces_own_is_not_packaged(place: str) -> None:
    cluster = Cluster(spec(package=PACKAGE))
    cluster.settle()
    job = cluster.job()
    assert job
    agent = job["spec"]["template"]["spec"]["initContainers"][0]
    for variable in agent["env"]:
        if variable["name"] == "SLIPWAY_OUTPUT_URI":
            variable["value"] = place
    cluster.finish_all(message=trained())
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "ForbiddenUri"
    assert cluster.job("package") is None
