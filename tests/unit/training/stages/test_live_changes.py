"""What of a spec may change while its Job lives."""

from typing import Any

import pytest

from tests.unit.training.simulation import Cluster, spec, trained


def patches(cluster: Cluster) -> list[Any]:
    return [patch.body for patch in cluster.reconcile().patch]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        (None, 600, {"activeDeadlineSeconds": 600}),
        (600, 900, {"activeDeadlineSeconds": 900}),
        (600, None, {"activeDeadlineSeconds": None}),
    ],
)
def test_a_changed_deadline_reaches_the_live_job(
    before: int | None, after: int | None, patch: dict[str, Any]
) -> None:
    cluster = Cluster(spec(activeDeadlineSeconds=before))
    cluster.settle()
    cluster.change(activeDeadlineSeconds=after)
    assert patches(cluster) == [{"spec": patch}]
    assert patches(cluster) == []


def test_a_changed_back_off_limit_reaches_the_live_job_in_pods() -> None:
    cluster = Cluster(spec(nodes=3, restart={"policy": "Pod"}))
    cluster.settle()
    cluster.change(backoffLimit=2)
    assert patches(cluster) == [{"spec": {"backoffLimit": 6}}]
    assert patches(cluster) == []


def test_several_changes_are_one_patch() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    cluster.change(backoffLimit=2, activeDeadlineSeconds=5, suspend=True)
    assert len(patches(cluster)) == 1


def test_a_job_that_has_ended_is_not_patched() -> None:
    cluster = Cluster(spec())
    cluster.settle()
    cluster.finish_all(message=trained())
    cluster.control()
    cluster.change(backoffLimit=2)
    assert patches(cluster) == []
