"""Containers beside the script's: which one failed, and which one does not end, is told."""

from typing import Any

import pytest

from slipway.api import timestamp
from tests.unit.training.simulation import Cluster, condition, underway

BESIDE = {"spec": {"containers": [{"name": "board", "image": "board:1"}]}}
FIRST = {"spec": {"initContainers": [{"name": "migrate", "image": "migrate:1"}]}}


def begun(overlay: dict[str, Any]) -> Cluster:
    return underway(podTemplate=overlay, restart={"policy": "Never"})


def end_badly(cluster: Cluster, kind: str, name: str, **state: Any) -> str:
    """Let the pod end as a container of it does; return the pod's name."""
    (pod,) = cluster.pods()
    terminated = {"exitCode": 3, "reason": "Error", "finishedAt": timestamp(cluster.now), **state}
    statuses = pod["status"].setdefault(kind, [])
    statuses[:] = [one for one in statuses if one["name"] != name]
    statuses.append({"name": name, "state": {"terminated": terminated}})
    pod["status"]["phase"] = "Failed"
    cluster.settle()
    return str(pod["metadata"]["name"])


@pytest.mark.parametrize(
    ("overlay", "kind", "name"),
    [(FIRST, "initContainerStatuses", "migrate"), (BESIDE, "containerStatuses", "board")],
)
def test_a_container_that_fails_is_named_with_its_last_lines(
    overlay: dict[str, Any], kind: str, name: str
) -> None:
    cluster = begun(overlay)
    pod = end_badly(cluster, kind, name, message="no such table\n")
    found = condition(cluster, "Failed")
    assert found["reason"] == "ContainerFailed"
    assert found["message"].startswith(f"Pod {pod}, container {name}, failed: exit code 3.")
    assert found["message"].endswith("Last lines of its log:\nno such table")
    assert cluster.status["failure"]["container"] == name
    assert cluster.status["reason"] == "ContainerFailed"
    (event,) = (one for one in cluster.events if one[1] == "Failed")
    assert f"container {name}" in event[2]


def test_a_container_that_cannot_be_started_is_no_failed_script() -> None:
    cluster = begun(BESIDE)
    said = 'exec: "nothing": executable file not found in $PATH'
    end_badly(cluster, "containerStatuses", "trainer", reason="StartError", message=said)
    found = condition(cluster, "Failed")
    assert found["reason"] == "ContainerCannotStart"
    assert said in found["message"]


def leave_running(cluster: Cluster) -> None:
    """Let the script end well and the container beside it run on."""
    (pod,) = cluster.pods()
    ended = {"exitCode": 0, "reason": "Completed", "finishedAt": timestamp(cluster.now)}
    pod["status"]["containerStatuses"] = [
        {"name": "trainer", "state": {"terminated": ended}},
        {"name": "board", "state": {"running": {}}},
    ]


def test_a_container_that_runs_on_after_the_script_is_named_after_a_minute() -> None:
    cluster = begun(BESIDE)
    leave_running(cluster)
    cluster.wait(59)
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == "AllPodsRunning"
    cluster.wait(1)
    cluster.settle()
    found = condition(cluster, "Running")
    assert (found["status"], found["reason"]) == ("True", "ContainerRunsOn")
    assert "the container board of pod quick-train-0" in found["message"]
    assert cluster.status["reason"] == "ContainerRunsOn"
    assert ("Warning", "ContainerRunsOn") in [event[:2] for event in cluster.events]


def test_a_sidecar_may_run_on() -> None:
    cluster = begun(BESIDE)
    leave_running(cluster)
    (pod,) = cluster.pods()
    pod["status"]["initContainerStatuses"] = [pod["status"]["containerStatuses"].pop()]
    cluster.wait(600)
    cluster.settle()
    assert condition(cluster, "Running")["reason"] == "AllPodsRunning"
