"""The training examples when a process is killed: where they go on, and what they end with."""

import pytest
import yaml

from tests.cluster.examples import (
    EXAMPLES,
    begin,
    begin_slowly,
    finished,
    has_checkpoint,
    kill_script,
    progress,
    result,
)
from tests.cluster.support import TRAIN, Space, claim
from tests.harness.cluster import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def space(shared: Space) -> Space:
    """A namespace where the example that nothing disturbs is begun first."""
    begin(shared, "ddp")
    return shared


def test_a_process_killed_mid_training_costs_one_interval_and_no_bit_of_the_result(
    cluster: Cluster, space: Space
) -> None:
    begin_slowly(space, "resume")
    killed = progress(space.wait("trainingjob", "resume", has_checkpoint, TRAIN))
    kill_script(space, "resume", 1)
    job = finished(space, "resume")
    found = result(cluster, job)
    assert found["begin"] >= killed["checkpoint"]["step"]
    assert job["status"]["restarts"] == 1
    undisturbed = result(cluster, finished(space, "ddp"))
    assert undisturbed["begin"] == 0
    assert found["loss"] == undisturbed["loss"]


@pytest.mark.long
def test_checkpoints_in_a_claim_are_resumed_from(cluster: Cluster, space: Space) -> None:
    with (EXAMPLES / "single" / "trainingjob.yaml").open() as stream:
        source, job = yaml.safe_load_all(stream)
    job["metadata"]["name"] = "on-claim"
    job["spec"]["checkpoint"] = {"uri": "pvc://kept/net", "intervalSteps": 10}
    job["spec"]["restart"] = {"maxRestarts": 1}
    space.apply(claim("kept", "100Mi"), source, job)
    killed = progress(space.wait("trainingjob", "on-claim", has_checkpoint, TRAIN))
    kill_script(space, "on-claim", 0)
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


def test_data_parallel_training_succeeds_as_it_is(cluster: Cluster, space: Space) -> None:
    assert result(cluster, finished(space, "ddp"))["begin"] == 0
