"""The training examples when they are suspended, scaled, or resumed by another number of pods."""

import pytest
import yaml

from tests.cluster.examples import EXAMPLES, begin, begin_slowly, finished, progress, result
from tests.cluster.support import TRAIN, Space, phase
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def space(shared: Space) -> Space:
    """A namespace where the example that nothing disturbs is begun first."""
    begin(shared, "fsdp2")
    return shared


def test_a_suspended_job_saves_first_and_resumes_at_that_step(
    cluster: Cluster, space: Space
) -> None:
    begin_slowly(space, "single")
    space.wait("trainingjob", "single", lambda job: progress(job).get("step", 0) >= 1, TRAIN)
    suspend = ("patch", "tj", "single", "--type=merge", "-p")
    space.kubectl.run(*suspend, '{"spec":{"suspend":true}}')
    space.wait_for_phase("single", "Suspended")
    space.wait_until_gone("pods", "slipway.dev/training-job=single")
    space.kubectl.run(*suspend, '{"spec":{"suspend":false}}')
    assert result(cluster, finished(space, "single"))["begin"] > 0


@pytest.mark.long
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


def _store(job: Object) -> str:
    """Return the URI of the place in the store that is the job's namespace's."""
    uri: str = job["status"]["output"]["uri"]
    return uri.partition("/outputs/")[0]


def test_shards_of_two_pods_are_resumed_by_one(cluster: Cluster, space: Space) -> None:
    job = finished(space, "fsdp2")
    assert result(cluster, job)["processes"] == 2
    with (EXAMPLES / "fsdp2" / "trainingjob.yaml").open() as stream:
        _, other = yaml.safe_load_all(stream)
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    uri = f"{_store(job)}/checkpoints/{space.name}/{name}/{uid}"
    other["metadata"]["name"] = "fsdp2-alone"
    other["spec"] |= {"nodes": 1, "checkpoint": {"uri": uri, "intervalSteps": 10}}
    other["spec"]["env"][0]["value"] = "45"
    space.apply(other)
    found = result(cluster, finished(space, "fsdp2-alone"))
    assert (found["begin"], found["processes"]) == (40, 1)


def test_checkpoints_are_no_more_than_are_to_be_kept(cluster: Cluster, space: Space) -> None:
    job = finished(space, "fsdp2")
    folder = f"{_store(job)}/checkpoints/{space.name}/fsdp2/{job['metadata']['uid']}"

    def steps() -> bool:
        with cluster.store() as store:
            valid = [path for path in store.find(folder) if path.endswith("/_manifest.json")]
        return sorted(int(path.split("/step-")[1][:12]) for path in valid)[-3:] == [20, 30, 40]

    wait_for(steps, 180, "the last three checkpoints are there", space.report)


def test_sharded_training_succeeds_as_it_is(cluster: Cluster, space: Space) -> None:
    assert result(cluster, finished(space, "fsdp2"))["begin"] == 0
