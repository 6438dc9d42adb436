"""The training examples as they are: killed, suspended, scaled; and what they end with."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.support import ROOT, TRAIN, Space, claim, condition, phase, processes_of
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def space(shared: Space) -> Space:
    """The examples that nothing disturbs, begun together; each test looks at its own."""
    begin(shared, "ddp", "fsdp2")
    return shared


def begin(space: Space, *names: str) -> None:
    """Apply examples as they are."""
    for name in names:
        space.kubectl.run("apply", "-f", str(EXAMPLES / name))


def result(cluster: Cluster, job: Object) -> dict[str, Any]:
    """Return what an example has written as its result."""
    uri = job["status"]["output"]["uri"]
    with cluster.store() as store:
        found: dict[str, Any] = json.loads(store.cat_file(f"{uri}/result.json"))
    return found


def finished(space: Space, name: str) -> Object:
    job = space.wait_for_phase(name, "Succeeded", "Failed", timeout=2 * TRAIN)
    assert phase(job) == "Succeeded", condition(job, "Failed")
    return job


def progress(job: Object) -> dict[str, Any]:
    found: dict[str, Any] = job.get("status", {}).get("progress", {})
    return found


def has_checkpoint(job: Object) -> bool:
    return bool(progress(job).get("checkpoint", {}).get("step", 0) >= 10)


def pod_of(space: Space, name: str, index: int) -> Object:
    """Return the pod of an index that runs."""
    label = "batch.kubernetes.io/job-completion-index"
    pods = space.pods(f"slipway.dev/training-job={name},{label}={index}")
    return next(pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))


def script_of(pod: Object) -> int:
    """Return the process of a pod that runs the script itself."""
    for process in processes_of(pod):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        if any(word.endswith(b"train.py") for word in words[1:3]):
            return process
    raise LookupError(f"{pod['metadata']['name']} runs no train.py")


def test_a_suspended_job_saves_first_and_resumes_at_that_step(
    cluster: Cluster, space: Space
) -> None:
    begin(space, "single")
    space.wait("trainingjob", "single", lambda job: progress(job).get("step", 0) >= 1, TRAIN)
    suspend = ("patch", "tj", "single", "--type=merge", "-p")
    space.kubectl.run(*suspend, '{"spec":{"suspend":true}}')
    space.wait_for_phase("single", "Suspended")
    space.wait_until_gone("pods", "slipway.dev/training-job=single")
    space.kubectl.run(*suspend, '{"spec":{"suspend":false}}')
    assert result(cluster, finished(space, "single"))["begin"] > 0


def test_an_elastic_group_grows_and_shrinks_while_it_trains(space: Space) -> None:
    def processes(number: int) -> None:
        def holds(job: Object) -> bool:
            return float(progress(job).get("metrics", {}).get("processes", 0)) == number

        space.wait("trainingjob", "elastic", holds, TRAIN)

    begin(space, "elastic")
    processes(1)
    before = progress(space.job("elastic"))["step"]
    space.kubectl.run("scale", "trainingjob", "elastic", "--replicas=3")
    processes(3)
    space.kubectl.run("scale", "trainingjob", "elastic", "--replicas=2")
    processes(2)
    job = space.job("elastic")
    assert phase(job) == "Running"
    assert progress(job)["step"] > before
    assert job["status"].get("restarts", 0) == 0
    space.kubectl.delete("trainingjob", "elastic")


def test_a_process_killed_mid_training_costs_one_interval_and_no_bit_of_the_result(
    cluster: Cluster, space: Space
) -> None:
    begin(space, "resume")
    killed = progress(space.wait("trainingjob", "resume", has_checkpoint, TRAIN))
    os.kill(script_of(pod_of(space, "resume", 1)), signal.SIGKILL)
    job = finished(space, "resume")
    found = result(cluster, job)
    assert found["begin"] >= killed["checkpoint"]["step"]
    assert job["status"]["restarts"] == 1
    undisturbed = result(cluster, finished(space, "ddp"))
    assert undisturbed["begin"] == 0
    assert found["loss"] == undisturbed["loss"]


def test_checkpoints_in_a_claim_are_resumed_from(cluster: Cluster, space: Space) -> None:
    with (EXAMPLES / "single" / "trainingjob.yaml").open() as stream:
        source, job = yaml.safe_load_all(stream)
    job["metadata"]["name"] = "on-claim"
    job["spec"]["checkpoint"] = {"uri": "pvc://kept/net", "intervalSteps": 10}
    job["spec"]["restart"] = {"maxRestarts": 1}
    space.apply(claim("kept", "100Mi"), source, job)
    killed = progress(space.wait("trainingjob", "on-claim", has_checkpoint, TRAIN))
    os.kill(script_of(pod_of(space, "on-claim", 0)), signal.SIGKILL)
    ended = finished(space, "on-claim")
    assert ended["status"]["restarts"] == 1
    assert result(cluster, ended)["begin"] >= killed["checkpoint"]["step"]


def test_the_status_tells_progress_pace_and_the_newest_checkpoint(space: Space) -> None:
    last = progress(finished(space, "resume"))
    assert (last["step"], last["totalSteps"], last["percent"]) == (60, 60, 100)
    assert float(last["stepsPerSecond"]) > 0
    assert float(last["samplesPerSecond"]) > 0
    assert last["etaSeconds"] == 0
    assert set(last["metrics"]) == {"loss", "processes"}
    assert last["checkpoint"]["step"] >= 40


def test_shards_of_two_pods_are_resumed_by_one(cluster: Cluster, space: Space) -> None:
    job = finished(space, "fsdp2")
    assert result(cluster, job)["processes"] == 2
    with (EXAMPLES / "fsdp2" / "trainingjob.yaml").open() as stream:
        _, other = yaml.safe_load_all(stream)
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    uri = f"s3://slipway/checkpoints/{space.name}/{name}/{uid}"
    other["metadata"]["name"] = "fsdp2-alone"
    other["spec"] |= {"nodes": 1, "checkpoint": {"uri": uri, "intervalSteps": 10}}
    other["spec"]["env"][0]["value"] = "45"
    space.apply(other)
    found = result(cluster, finished(space, "fsdp2-alone"))
    assert (found["begin"], found["processes"]) == (40, 1)


def test_checkpoints_are_no_more_than_are_to_be_kept(cluster: Cluster, space: Space) -> None:
    job = finished(space, "fsdp2")
    folder = f"slipway/checkpoints/{space.name}/fsdp2/{job['metadata']['uid']}"

    def steps() -> bool:
        with cluster.store() as store:
            valid = [path for path in store.find(folder) if path.endswith("/_manifest.json")]
        return sorted(int(path.split("/step-")[1][:12]) for path in valid)[-3:] == [20, 30, 40]

    wait_for(steps, 60, "the last three checkpoints are there", space.report)


@pytest.mark.parametrize("name", ["ddp", "fsdp2"])
def test_each_example_succeeds_as_it_is(cluster: Cluster, space: Space, name: str) -> None:
    assert result(cluster, finished(space, name))["begin"] == 0
