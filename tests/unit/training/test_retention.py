"""What a finished job stored goes when its time is over, and nothing that another object names."""

from dataclasses import replace
from typing import Any

import pytest

from slipway.plan import Reference, Removal, Removed
from tests.unit.training.simulation import PACKAGE, Cluster, condition, packaged
from tests.unit.training.stages.test_finished import failed, succeeded

UID_PLACE = "default/quick/uid-1"
MODELS = f"s3://slipway/models/{UID_PLACE}"


def prefixes(removal: Removal | None) -> list[str]:
    assert removal is not None
    return [target.folder.prefix for target in removal.targets]


def repackaged(times: int, **retention: Any) -> Cluster:
    """Return a job whose output was packaged once more so many times."""
    cluster = succeeded()
    for number in range(1, times + 1):
        package = {**PACKAGE, "repeat": number, "retention": retention}
        cluster.change(package=package)
        cluster.settle()
        cluster.finish_all("package", packaged())
        cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    return cluster


def removal_of(cluster: Cluster) -> Removal:
    """Wait until the removal begins, and return it."""
    cluster.wait(61)
    removal = cluster.reconcile().removal
    assert removal is not None
    return removal


def test_everything_is_kept_unless_somebody_says_otherwise() -> None:
    cluster = repackaged(3)
    cluster.wait(10**9)
    made = cluster.reconcile()
    assert (made.removal, made.requeue_after) == (None, None)
    assert "ArtifactsRemoved" not in {one["type"] for one in cluster.status["conditions"]}


@pytest.mark.parametrize("end", [succeeded, failed])
def test_an_output_goes_a_minute_after_its_time_is_over_and_told(end: Any) -> None:
    cluster = end(retention={"outputSecondsAfterFinished": 3600})
    assert cluster.reconcile().requeue_after == 3600
    cluster.wait(3600)
    made = cluster.reconcile()
    assert made.removal is None
    assert cluster.status["retention"]["output"] is True
    assert condition(cluster, "ArtifactsRemoved")["reason"] == "Removing"
    assert prefixes(removal_of(cluster)) == [f"outputs/{UID_PLACE}/"]


def test_what_is_gone_is_told_and_not_removed_again() -> None:
    cluster = succeeded(retention={"outputSecondsAfterFinished": 0})
    cluster.settle()
    removal = removal_of(cluster)
    cluster.removed = Removed(removal, objects=3, size_bytes=2048, complete=True)
    cluster.settle()
    told = condition(cluster, "ArtifactsRemoved")
    assert (told["status"], told["reason"]) == ("True", "Removed")
    assert "the output; 3 objects, 2048 bytes" in told["message"]
    assert ("Normal", "ArtifactsRemoved", told["message"]) in cluster.events
    cluster.wait(10**6)
    assert cluster.reconcile().removal is None


def test_what_is_kept_beside_what_is_gone_is_told_soon_after() -> None:
    now = {"outputSecondsAfterFinished": 0, "checkpointsSecondsAfterFinished": 0}
    cluster = succeeded(checkpoint={})
    output = f"s3://slipway/outputs/{UID_PLACE}"
    cluster.references = (Reference("TrainingJob reader", uris=frozenset({output})),)
    cluster.change(retention=now)
    cluster.reconcile()
    removal = removal_of(cluster)
    assert prefixes(removal) == [f"checkpoints/{UID_PLACE}/"]
    cluster.removed = Removed(removal, objects=2, size_bytes=64, complete=True)
    again = cluster.reconcile().requeue_after
    assert condition(cluster, "ArtifactsRemoved")["reason"] == "Removed"
    assert again is not None
    cluster.wait(again)
    cluster.reconcile()
    told = condition(cluster, "ArtifactsRemoved")
    assert told["message"] == "The output is kept, as TrainingJob reader names it."


def test_an_outcome_of_an_earlier_decision_ends_nothing() -> None:
    cluster = succeeded(retention={"outputSecondsAfterFinished": 0})
    removal = removal_of(cluster)
    cluster.removed = Removed(replace(removal, time="2020-01-01T00:00:00Z"), complete=True)
    assert cluster.reconcile().removal == removal


def test_a_job_whose_output_goes_is_not_packaged_again() -> None:
    cluster = succeeded(retention={"outputSecondsAfterFinished": 0})
    cluster.change(package={**PACKAGE, "repeat": 1})
    cluster.settle()
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["packaging"]["number"] == 1


def test_the_newest_archives_are_kept_and_the_others_go() -> None:
    cluster = repackaged(3, versions=2)
    removal = removal_of(cluster)
    assert prefixes(removal) == [f"models/{UID_PLACE}/2/", f"models/{UID_PLACE}/"]
    assert [target.folder.flat for target in removal.targets] == [True, True]
    cluster.removed = Removed(removal, complete=True)
    cluster.settle()
    assert [one["number"] for one in cluster.status["earlierPackages"]] == [3]


def test_a_change_of_the_retention_alone_packages_nothing() -> None:
    cluster = succeeded()
    cluster.change(package={**PACKAGE, "retention": {"versions": 1}})
    cluster.settle()
    assert cluster.status["packaging"]["number"] == 1


@pytest.mark.parametrize(
    "named",
    [
        Reference("ModelDeployment x", frozenset({f"{MODELS}/quick-1.0.mar"})),
        Reference("ModelDeployment x", frozenset(), frozenset({"ab" * 32})),
        Reference("TrainingJob y", frozenset({f"{MODELS}/"})),
        Reference("TrainingJob y", frozenset({"s3://slipway/models/default"})),
    ],
)
def test_an_archive_that_something_names_is_kept_and_told_until_it_does_not(
    named: Reference,
) -> None:
    cluster = succeeded()
    cluster.references = (named,)
    cluster.change(package={**PACKAGE, "repeat": 1, "retention": {"versions": 1}})
    cluster.settle()
    cluster.finish_all("package", packaged())
    cluster.settle()
    told = condition(cluster, "ArtifactsRemoved")
    assert (told["reason"], told["message"]) == (
        "InUse",
        f"Archive 1 is kept, as {named.user} names it.",
    )
    cluster.references = ()
    cluster.reconcile()
    assert prefixes(removal_of(cluster)) == [f"models/{UID_PLACE}/"]


def test_nothing_is_decided_while_nobody_has_looked_who_names_it() -> None:
    cluster = succeeded(retention={"outputSecondsAfterFinished": 0})
    cluster = Cluster(cluster.spec, {**cluster.status, "retention": None}, references=None)
    cluster.wait(10**6)
    cluster.reconcile()
    assert cluster.status.get("retention") is None


def test_a_store_that_refuses_is_told_once_and_asked_again_at_the_resync_only() -> None:
    cluster = succeeded(retention={"outputSecondsAfterFinished": 0})
    removal = removal_of(cluster)
    cluster.removed = Removed(removal, refused="The store refuses the request (AccessDenied).")
    before = len(cluster.events)
    made = cluster.reconcile()
    assert made.requeue_after is None
    assert condition(cluster, "ArtifactsRemoved")["reason"] == "StoreRefuses"
    for _ in range(3):
        cluster.reconcile()
    assert [event[:2] for event in cluster.events[before:]] == [("Warning", "StoreRefuses")]


def test_checkpoints_go_but_not_those_in_a_folder_that_the_job_names() -> None:
    after = {"checkpointsSecondsAfterFinished": 0}
    own = succeeded(checkpoint={}, retention=after)
    assert prefixes(removal_of(own)) == [f"checkpoints/{UID_PLACE}/"]
    named = succeeded(checkpoint={"uri": "s3://slipway/checkpoints/default/net"}, retention=after)
    named.wait(10**6)
    assert named.reconcile().removal is None


def test_a_job_that_trains_loses_nothing() -> None:
    cluster = Cluster(
        {
            "source": {"configMap": {"name": "code"}},
            "entrypoint": "train.py",
            "checkpoint": {},
            "retention": {"outputSecondsAfterFinished": 0, "checkpointsSecondsAfterFinished": 0},
        }
    )
    cluster.settle()
    cluster.start()
    cluster.wait(10**6)
    assert cluster.settle().removal is None
