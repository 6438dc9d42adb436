"""Queues, gangs and other managers: who decides when and where the pods run."""

from typing import Any

import pytest

from slipway.plan import Manifest
from tests.unit.training.simulation import Cluster, condition, spec

QUEUE = "kueue.x-k8s.io/queue-name"


def job(cluster: Cluster) -> Manifest:
    found = cluster.job()
    assert found
    return found


def admit(cluster: Cluster) -> None:
    """Let Kueue release the Job, with the node selector of the flavour that it chose."""
    found = job(cluster)
    found["spec"]["suspend"] = False
    found["spec"]["template"]["spec"]["nodeSelector"] = {"flavour": "a100"}


def queued(**fields: Any) -> Cluster:
    cluster = Cluster(spec(nodes=2, queueName="team", **fields))
    cluster.settle()
    return cluster


def test_a_job_of_a_queue_waits_until_it_is_admitted() -> None:
    cluster = queued()
    assert job(cluster)["metadata"]["labels"][QUEUE] == "team"
    assert job(cluster)["spec"]["suspend"] is True
    assert cluster.status["phase"] == "Queued"
    assert condition(cluster, "Queued")["reason"] == "WaitingForAdmission"
    assert not [one for one in cluster.status["conditions"] if one["type"] == "Suspended"]
    admit(cluster)
    cluster.settle()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    assert job(cluster)["spec"]["template"]["spec"]["nodeSelector"] == {"flavour": "a100"}


def test_a_queue_may_take_the_pods_back_and_the_clock_stands() -> None:
    cluster = queued(activeDeadlineSeconds=100)
    admit(cluster)
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.wait(40)
    job(cluster)["spec"]["suspend"] = True
    cluster.settle()
    assert cluster.status["phase"] == "Queued"
    assert cluster.status["runTime"]["usedSeconds"] == 40
    assert job(cluster)["spec"]["suspend"] is True


def test_a_suspended_job_gives_its_place_in_the_queue_back() -> None:
    cluster = queued()
    admit(cluster)
    cluster.settle()
    cluster.start()
    cluster.change(suspend=True)
    cluster.settle()
    assert cluster.job() is None
    assert cluster.status["phase"] == "Suspended"
    cluster.change(suspend=False)
    cluster.settle()
    assert job(cluster)["spec"]["suspend"] is True
    assert condition(cluster, "Queued")["reason"] == "WaitingForAdmission"


def test_a_restarted_group_queues_again() -> None:
    cluster = queued(restart={"maxRestarts": 1})
    admit(cluster)
    cluster.settle()
    cluster.start()
    cluster.settle()
    cluster.finish(cluster.pods()[0], 1)
    cluster.settle()
    assert job(cluster)["metadata"]["labels"]["slipway.dev/attempt"] == "1"
    assert condition(cluster, "Queued")["reason"] == "WaitingForAdmission"


def test_the_wait_in_a_queue_is_bounded() -> None:
    cluster = queued(queueDeadlineSeconds=60)
    cluster.wait(60)
    cluster.settle()
    assert condition(cluster, "Failed")["reason"] == "QueueDeadlineExceeded"
    assert "team" in condition(cluster, "Failed")["message"]


@pytest.mark.parametrize(
    ("gang", "api_version", "kind", "group"),
    [
        ("Coscheduling", "scheduling.x-k8s.io/v1alpha1", "PodGroup", {"minMember": 3}),
        ("Volcano", "scheduling.volcano.sh/v1beta1", "PodGroup", {"minMember": 3}),
        (
            "Workload",
            "scheduling.k8s.io/v1alpha1",
            "Workload",
            {"podGroups": [{"name": "trainer", "policy": {"gang": {"minCount": 3}}}]},
        ),
    ],
)
def test_a_gang_has_its_object_and_its_pods_belong_to_it(
    gang: str, api_version: str, kind: str, group: dict[str, Any]
) -> None:
    cluster = Cluster(spec(nodes=3, gang=gang))
    applied = cluster.plan().apply
    (made,) = [one for one in applied if one["kind"] == kind]
    assert (made["apiVersion"], made["spec"]) == (api_version, group)
    assert applied.index(made) < [one["kind"] for one in applied].index("Job")
    name = made["metadata"]["name"]
    cluster.settle()
    template = job(cluster)["spec"]["template"]
    told = {
        "Coscheduling": template["metadata"]["labels"].get("scheduling.x-k8s.io/pod-group"),
        "Volcano": template["metadata"].get("annotations", {}).get("scheduling.k8s.io/group-name"),
        "Workload": template["spec"].get("workloadRef", {}).get("name"),
    }
    assert {scheduler for scheduler, group in told.items() if group == name} == {gang}


def test_an_elastic_gang_needs_its_fewest_nodes() -> None:
    cluster = Cluster(spec(nodes=3, gang="Volcano", elastic={"minNodes": 2, "maxNodes": 4}))
    (made,) = [one for one in cluster.plan().apply if one["kind"] == "PodGroup"]
    assert made["spec"] == {"minMember": 2}


def test_a_gang_whose_kind_is_missing_waits_and_says_what_brings_it() -> None:
    cluster = Cluster(spec(nodes=2, gang="Volcano"), gang_served=False)
    cluster.settle()
    found = condition(cluster, "Created")
    assert (found["status"], found["reason"]) == ("False", "GangKindNotFound")
    assert "Volcano" in found["message"]
    assert condition(cluster, "Queued")["status"] == "True"
    assert cluster.job() is None
    cluster.gang_served = True
    cluster.settle()
    assert cluster.job()


@pytest.mark.parametrize(
    ("manager", "left_alone"),
    [("kueue.x-k8s.io/multikueue", True), ("slipway.dev/operator", False), (None, False)],
)
def test_a_job_that_somebody_else_manages_is_left_alone(
    manager: str | None, left_alone: bool
) -> None:
    cluster = Cluster(spec(managedBy=manager))
    cluster.settle()
    assert (cluster.objects == {} and cluster.status == {}) is left_alone
