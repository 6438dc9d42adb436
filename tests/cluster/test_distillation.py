"""The example of a teacher and its student as it is: two jobs and a deployment, applied at once."""

import json

import pytest

from tests.cluster.examples import begin, finished, progress
from tests.cluster.support import SERVE, TRAIN, Space, predict
from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.long]

TEACHER, STUDENT = "digits-teacher", "digits-student"


def test_a_student_waits_for_its_teacher_learns_from_it_and_is_served(
    cluster: Cluster, space: Space
) -> None:
    begin(space, "distillation")
    space.wait_for_reason("tj", STUDENT, "Created", "WaitingForTrainingJob")
    taught = finished(space, TEACHER)["status"]["package"]
    student = finished(space, STUDENT)
    (kept,) = student["status"]["inputs"]
    assert (kept["trainingJob"], kept["sha256"]) == (TEACHER, taught["sha256"])
    told = {name: float(value) for name, value in progress(student)["metrics"].items()}
    print(f"{STUDENT}: {told}", flush=True)
    assert told["teacher"] >= 0.95
    assert told["distilled"] >= max(0.9, told["alone"] + 0.05)
    assert told["leastGain"] > 0

    found = space.wait_until_ready(STUDENT, TRAIN + SERVE)
    assert found["status"]["model"]["sha256"] == student["status"]["package"]["sha256"]
    with cluster.store() as store:
        output = student["status"]["output"]["uri"].removeprefix("s3://")
        sample = json.loads(store.cat_file(f"{output}/signature.json"))["sample"]["body"]
    (scores,) = predict(space, STUDENT, sample)
    assert len(scores) == 10
