"""Numbers in and out, in the fastest form of their model: measured, judged, packaged and served."""

import hashlib
import json
from typing import Any

import httpx
import numpy as np
import pytest

from tests.cluster.packages import model_in, packaged, stored, succeeded
from tests.cluster.support import (
    SERVE,
    SMALL,
    Space,
    address,
    model_deployment,
    predict,
    source,
    training_job,
)
from tests.harness import Object
from tests.harness.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.long]

JOB, SERVED = "mixer", "fast"
INPUTS, OUTPUTS, ROWS = 16, 4, 200
CANDIDATES = ["Onnx", "Int8Dynamic", "TorchaoInt8"]
FAR = 0.2
"""Most that answers may be from the truth on average, as a share of its average magnitude."""

MIXER = f"""
import json
import os

import slipway_runtime as slipway
import torch
from torch import nn

torch.manual_seed(0)
mix = torch.randn({INPUTS}, {OUTPUTS})
model = nn.Sequential(
    nn.Linear({INPUTS}, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, {OUTPUTS})
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(400):
    rows = torch.randn(64, {INPUTS})
    loss = nn.functional.mse_loss(model(rows), rows @ mix)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
slipway.report(400, 400, loss=loss)
held = torch.randn({ROWS}, {INPUTS})
with open(os.environ["SLIPWAY_OUTPUT_DIR"] + "/samples.jsonl", "w") as file:
    for row, truth in zip(held.tolist(), (held @ mix).tolist()):
        file.write(json.dumps({{"body": [row], "expected": [truth]}}) + "\\n")
slipway.signature(held, held @ mix, sample=held[:1].tolist())
slipway.export(model, held)
"""
JUDGE = """
def far(answers, rows):
    def numbers(told):
        return [number for (row,) in told for number in row]

    truth = numbers(row["expected"] for row in rows)
    off = sum(abs(a - b) for a, b in zip(numbers(answers), truth))
    return {"far": off / sum(map(abs, truth))}
"""
PACKAGE: Object = {
    "serializedFile": "model.pt2",
    "handler": "tensor",
    "samples": {
        "file": "samples.jsonl",
        "tolerance": 0.02,
        "evaluate": "judge.py:far",
        "resources": {"requests": {"cpu": SMALL}},
    },
    "optimize": {"objective": "Latency", "candidates": CANDIDATES, "tolerance": 0.1},
    "gates": [
        {"metric": "far", "successCondition": f"result <= {FAR}"},
        {"metric": "latencySeconds", "successCondition": "result > 0 && result < 60"},
    ],
}


@pytest.fixture(scope="module")
def job(shared: Space) -> Object:
    """The job that has packaged the fastest form; its deployment is there from the beginning."""
    made = model_deployment(SERVED, {"trainingJob": {"name": JOB}})
    made["spec"]["server"]["runtime"] = "Python"
    told = {"framework": "plain", "entrypoint": "mixer.py", "package": PACKAGE}
    code = source("mixer", mixer=MIXER, judge=JUDGE)
    shared.apply(code, training_job(JOB, "mixer", **told), made)
    return succeeded(shared, JOB)


def test_the_fastest_form_within_the_tolerance_is_in_the_archive(
    cluster: Cluster, job: Object
) -> None:
    package = job["status"]["package"]
    rows = {row["candidate"]: row for row in package["optimization"]}
    print(rows, flush=True)
    assert list(rows) == ["Float", *CANDIDATES]
    times = {name: float(row["latencyMilliseconds"]) for name, row in rows.items()}
    best = packaged(package)
    good = [name for name in CANDIDATES if rows[name]["verdict"] in ("Packaged", "Passed")]
    assert times[best["candidate"]] == min(times[name] for name in good)
    assert times[best["candidate"]] < 0.951 * times["Float"]
    for name in set(CANDIDATES) - set(good):
        assert rows[name]["verdict"] == "Refused", rows[name]
        is_near = float(rows[name]["difference"]) <= 0.1
        assert not is_near or times[name] > 0.949 * times["Float"], rows[name]
    assert rows["Onnx"]["verdict"] in ("Packaged", "Passed")
    assert rows["TorchaoInt8"]["sizeBytes"] < rows["Float"]["sizeBytes"]
    name, model = model_in(stored(cluster, package["uri"]))
    assert (name, len(model)) == ("model.onnx", best["sizeBytes"])


def test_the_record_and_the_provenance_name_the_program_that_judged_it(
    cluster: Cluster, job: Object
) -> None:
    package = job["status"]["package"]
    gates = {row["metric"]: row for row in package["gates"]}
    assert {name: row["source"] for name, row in gates.items()} == {
        "far": "Evaluate",
        "latencySeconds": "Package",
    }
    digest = hashlib.sha256(JUDGE.encode()).hexdigest()
    record = json.loads(stored(cluster, package["lineageUri"]))
    assert record["evaluation"] == {"sha256": digest, "function": "far"}
    provenance = json.loads(stored(cluster, package["provenanceUri"]))
    used = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    (program,) = (each for each in used if each["name"] == "evaluation")
    assert program["digest"] == {"sha256": digest}


def test_the_fastest_form_is_served_as_rows_of_numbers_by_the_python_server(
    cluster: Cluster, shared: Space, job: Object
) -> None:
    found = shared.wait_until_ready(SERVED, SERVE)
    assert found["status"]["model"]["sha256"] == job["status"]["package"]["sha256"]
    (pod,) = shared.pods(f"slipway.dev/model-deployment={SERVED}")
    assert any("slipway-python" in each["image"] for each in pod["spec"]["containers"])
    lines = stored(cluster, f"{job['status']['output']['uri']}/samples.jsonl").splitlines()
    rows: list[Any] = [json.loads(line) for line in lines[:50]]
    told = predict(shared, SERVED, [row["body"][0] for row in rows])
    truth = [row["expected"][0] for row in rows]
    both = [np.array(each, float) for each in (told, truth)]
    off = np.abs(both[0] - both[1]).sum() / np.abs(both[1]).sum()
    assert off <= 1.5 * FAR
    one = predict(shared, SERVED, {"instances": [rows[0]["body"][0]]})
    assert one == {"predictions": [pytest.approx(told[0], abs=0.3)]}
    wrong = httpx.post(f"{address(shared, SERVED)}/predict", json=[[1, 2]], timeout=60)
    assert wrong.status_code == 400
    assert f"a row has the shape [2] and not [{INPUTS}]" in wrong.json()["message"]
