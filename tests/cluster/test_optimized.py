"""An exported model in its best form: made, judged and served, and read by a job that waits for it.

The second job is applied first: it waits until the first one's archive is there.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.examples import result
from tests.cluster.packages import model_in, packaged, stored, succeeded
from tests.cluster.support import (
    SERVE,
    SMALL,
    Space,
    model_deployment,
    predict,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster

pytestmark = pytest.mark.cluster

FIRST, SECOND, INPUT = "sorter", "reader", "large"
RUNTIMES = {"by-python": "Python", "by-torchserve": "TorchServe"}
LABELS, COLUMNS, ROWS = ("left", "middle", "right"), 12, 200

SORTER = f"""
import json
import os
from pathlib import Path

import slipway_runtime as slipway
import torch
from torch import nn

LABELS, COLUMNS, ROWS = {LABELS}, {COLUMNS}, {ROWS}
torch.manual_seed(0)


def some(count):
    # Rows about three centers, each of which has threes in every third column.
    labels = torch.randint(len(LABELS), (count,))
    rows = torch.randn(count, COLUMNS)
    for label in range(len(LABELS)):
        rows[labels == label, label :: len(LABELS)] += 3
    return rows, labels


model = nn.Sequential(
    nn.Linear(COLUMNS, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, len(LABELS))
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(100):
    rows, labels = some(64)
    loss = nn.functional.cross_entropy(model(rows), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
slipway.report(100, 100, loss=loss)
names = [f"c{{number}}" for number in range(COLUMNS)]
held, answers = some(ROWS)
bodies = [[dict(zip(names, row.tolist()))] for row in held]
with open(os.environ["SLIPWAY_OUTPUT_DIR"] + "/samples.jsonl", "w") as file:
    for body, answer in zip(bodies, answers.tolist()):
        file.write(json.dumps({{"body": body, "expected": LABELS[answer]}}) + "\\n")
columns = {{name: {{"dtype": "float32"}} for name in names}}
slipway.signature(columns, labels=LABELS, sample=bodies[0])
slipway.export(model, held)
"""
JUDGE = """
def evaluate(answers, rows):
    right = sum(told[0]["label"] == row["expected"] for told, row in zip(answers, rows))
    return {"accuracy": right / len(rows)}
"""
READER = f"""
import hashlib
import json
import os
from pathlib import Path

import numpy
import onnxruntime

folder = Path(os.environ["SLIPWAY_INPUTS_DIR"], "{INPUT}")
name = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())["model"]["serializedFile"]
session = onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
rows = numpy.zeros((3, {COLUMNS}), numpy.float32)
for label in range(3):
    rows[label, label::3] = 3
(scores,) = session.run(None, {{session.get_inputs()[0].name: rows}})
output = Path(os.environ["SLIPWAY_OUTPUT_DIR"])
digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
told = {{"file": name, "sha256": digest, "classes": scores.argmax(axis=1).tolist()}}
(output / "result.json").write_text(json.dumps(told))
"""
ANSWER = "def handle(data, context):\n    return ['read'] * len(data)\n"
PACKAGE: Object = {
    "serializedFile": "model.pt2",
    "handler": "tabular",
    "samples": {
        "file": "samples.jsonl",
        "tolerance": 0.02,
        "evaluate": "judge.py:evaluate",
        "resources": {"requests": {"cpu": SMALL}},
    },
    "optimize": {"objective": "Size", "tolerance": 0.05},
    "gates": [
        {"metric": "accuracy", "successCondition": "result >= 0.9"},
        {"metric": "latencySeconds", "successCondition": "result < 60"},
        {"metric": "sizeBytes", "successCondition": "result < 10000000"},
    ],
}


def first() -> Object:
    """Return the job that trains, and has the smallest form of its model packaged."""
    return training_job(FIRST, "forms", framework="plain", entrypoint="sorter.py", package=PACKAGE)


def second() -> Object:
    """Return the job that reads the first one's archive."""
    return training_job(
        SECOND,
        "forms",
        framework="plain",
        entrypoint="reader.py",
        inputs=[{"name": INPUT, "trainingJob": {"name": FIRST}}],
        package={"serializedFile": "result.json", "handler": "answer.py"},
    )


def served(name: str, runtime: str) -> Object:
    """Return a deployment of the first job's archive, which may load no code."""
    made = model_deployment(name, {"trainingJob": {"name": FIRST}})
    made["spec"]["server"]["runtime"] = runtime
    return made


@dataclass(frozen=True)
class Begun:
    """The namespace in which all is begun, and what the second job said while it waited."""

    space: Space
    without: Object
    """Its condition before there was a first job."""
    waiting: Object
    """Its condition while the first job trained."""
    shown: str
    """What kubectl printed of it then."""
    pods: list[Object]
    """The pods that it had then."""


@pytest.fixture(scope="module")
def begun(shared: Space) -> Begun:
    shared.apply(source("forms", sorter=SORTER, reader=READER, judge=JUDGE, answer=ANSWER))
    shared.apply(second())
    without = shared.wait_for_reason("tj", SECOND, "Created", "TrainingJobNotFound")
    shared.apply(first(), *(served(*pair) for pair in RUNTIMES.items()))
    waiting = shared.wait_for_reason("tj", SECOND, "Created", "WaitingForTrainingJob")
    shown = shared.kubectl.run("get", "tj", SECOND, "--no-headers")
    pods = shared.pods(f"slipway.dev/training-job={SECOND}")
    return Begun(shared, without, waiting, shown, pods)


@pytest.fixture(scope="module")
def package(begun: Begun) -> Object:
    """What the first job's status says of its archive."""
    found: Object = succeeded(begun.space, FIRST)["status"]["package"]
    return found


def test_a_job_says_that_it_waits_for_another_ones_archive_and_starts_no_pod(begun: Begun) -> None:
    assert begun.without["status"] == begun.waiting["status"] == "False"
    assert f"There is no TrainingJob {FIRST}" in begun.without["message"]
    assert f"TrainingJob {FIRST}, whose archive is the input {INPUT}" in begun.waiting["message"]
    assert "WaitingForTrainingJob" in begun.shown
    assert begun.pods == []


def test_the_smallest_form_that_agrees_is_in_the_archive_with_a_row_for_each(
    cluster: Cluster, package: Object
) -> None:
    rows = {row["candidate"]: row for row in package["optimization"]}
    assert set(rows) == {"Float", "Onnx", "Int8Dynamic", "Int8Static"}
    assert rows["Float"]["verdict"] == "Passed"
    assert float(rows["Float"]["difference"]) == 0
    assert rows["Onnx"]["agreement"] == "1"
    assert float(rows["Onnx"]["difference"]) < 1e-4
    assert all(float(row["latencyMilliseconds"]) > 0 for row in rows.values())
    best = packaged(package)
    assert best["candidate"] in ("Int8Dynamic", "Int8Static")
    assert best["sizeBytes"] < rows["Float"]["sizeBytes"] / 2
    assert float(best["agreement"]) >= 0.95
    name, model = model_in(stored(cluster, package["uri"]))
    assert (name, len(model)) == ("model.onnx", best["sizeBytes"])


def test_the_packaged_form_is_what_the_gates_judge_and_the_record_tells(
    cluster: Cluster, package: Object
) -> None:
    gates = {row["metric"]: row for row in package["gates"]}
    sources = {metric: row["source"] for metric, row in gates.items()}
    assert sources == {
        "accuracy": "Evaluate",
        "latencySeconds": "Package",
        "sizeBytes": "Package",
    }
    assert float(gates["accuracy"]["value"]) >= 0.9
    assert float(gates["sizeBytes"]["value"]) == package["sizeBytes"]
    assert package["samples"] == ROWS
    record = json.loads(stored(cluster, package["lineageUri"]))
    assert record["package"]["optimization"] == package["optimization"]
    assert [row["metric"] for row in record["gates"]] == list(gates)
    assert "runsAsCode" not in record


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_packaged_form_is_served_without_leave_to_load_code(
    begun: Begun, package: Object, name: str
) -> None:
    found = begun.space.wait_until_ready(name, SERVE)
    assert found["status"]["model"]["sha256"] == package["sha256"]
    for at, label in enumerate(LABELS):
        row = {f"c{number}": 3 * (number % 3 == at) for number in range(COLUMNS)}
        (told,) = predict(begun.space, name, [row])
        assert told["label"] == label
        assert told["score"] > 0.8
        assert sum(told["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_a_job_reads_the_archive_that_its_status_keeps_and_its_record_names(
    cluster: Cluster, begun: Begun, package: Object
) -> None:
    job = succeeded(begun.space, SECOND)
    (kept,) = job["status"]["inputs"]
    uid = begun.space.job(FIRST)["metadata"]["uid"]
    assert kept == {
        "name": INPUT,
        "uri": package["uri"],
        "sha256": package["sha256"],
        "trainingJob": FIRST,
        "trainingJobUID": uid,
        "modelVersion": "1.0",
    }
    name, model = model_in(stored(cluster, package["uri"]))
    digest = hashlib.sha256(model).hexdigest()
    assert result(cluster, job) == {"file": name, "sha256": digest, "classes": [0, 1, 2]}
    made = job["status"]["package"]
    record: Any = json.loads(stored(cluster, made["lineageUri"]))
    assert record["trainingJob"]["inputs"] == [kept]
    provenance: Any = json.loads(stored(cluster, made["provenanceUri"]))
    used = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    (archive,) = (each for each in used if each["name"] == f"inputs/{INPUT}")
    assert archive["digest"] == {"sha256": package["sha256"]}
    assert archive["annotations"]["trainingJobUID"] == uid
