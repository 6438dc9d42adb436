"""Retrainings that are judged by their author's own function, and by the model that serves."""

import httpx
import pytest

from tests.cluster.support import (
    SERVE,
    TRAIN,
    Space,
    address,
    model_deployment,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.long]

TRAIN_SOME = """
import json, os, pathlib

folder = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
(folder / "model.pt").write_text(os.environ["RIGHT"])
rows = ({"body": {"x": x}, "expected": {"rest": x % 7}} for x in range(100))
(folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
"""
HANDLER = """
import pathlib


class Handler:
    def initialize(self, context):
        folder = pathlib.Path(context.system_properties["model_dir"])
        self.right = int((folder / "model.pt").read_text())

    def handle(self, data, context):
        return [{"rest": self.rest(row["body"]["x"])} for row in data]

    def rest(self, x):
        return x % 7 if x < self.right else -1
"""
EVALUATE = """
def accuracy(answers, rows):
    return {"accuracy": sum(map(lambda a, r: a == r["expected"], answers, rows)) / len(rows)}
"""
TEAM = {"team": "rests"}


def job(name: str, right: int) -> Object:
    """Return a job whose model answers so many of a hundred rows right."""
    made = training_job(
        name,
        "rests",
        framework="plain",
        env=[{"name": "RIGHT", "value": str(right)}],
        package={
            "modelName": "rests",
            "serializedFile": "model.pt",
            "handler": "handler.py",
            "samples": {"file": "samples.jsonl", "evaluate": "judge.py:accuracy"},
            "comparedWith": {"name": "served"},
            "gates": [
                {"metric": "accuracy", "minRatioToServed": "0.98"},
                {"metric": "latencySeconds", "successCondition": "result < 60"},
            ],
        },
    )
    made["metadata"]["labels"] = TEAM
    return made


def gate(job: Object, field: str) -> Object:
    """Return what the gate of the accuracy said of an archive."""
    rows: list[Object] = job["status"][field]["gates"]
    return rows[0]


def test_a_retraining_that_is_worse_than_what_serves_is_rejected_and_a_good_one_is_served(
    cluster: Cluster, space: Space
) -> None:
    code = source("rests", main=TRAIN_SOME, handler=HANDLER, judge=EVALUATE)
    served = model_deployment("served", {"trainingJobSelector": {"matchLabels": TEAM}})
    space.apply(code, job("first", 95), served)
    first = space.wait_for_phase("first", "Succeeded", "Failed")
    assert gate(first, "package")["message"].endswith(
        "(ModelDeployment served serves nothing yet that it could be compared with)"
    )
    space.wait_until_ready("served")

    space.apply(job("worse", 80))
    worse = space.wait_for_phase("worse", "Succeeded", "Failed")
    assert worse["status"]["reason"] == "Rejected"
    row = gate(worse, "rejectedPackage")
    assert (row["value"], row["servedValue"], row["source"]) == ("0.8", "0.95", "Evaluate")
    assert space.deployment("served")["status"]["model"]["trainingJob"] == "first"

    space.apply(job("alike", 94))
    alike = space.wait_for_phase("alike", "Succeeded", "Failed")
    assert gate(alike, "package")["servedValue"] == "0.95"
    space.wait(
        "mdep", "served", lambda it: it["status"]["model"]["trainingJob"] == "alike", TRAIN + SERVE
    )
    space.wait_until_ready("served")
    answer = httpx.post(f"{address(space, 'served')}/predict", json={"x": 94}, timeout=60)
    assert answer.json() == {"rest": -1}
