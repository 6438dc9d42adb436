"""What the status says of the forms that were measured."""

from typing import Any

import pytest

from slipway.api.training.optimize import MAX_FORMS
from slipway.training import reasons
from tests.unit.training.simulation import Cluster, condition, packaged
from tests.unit.training.stages.test_gates import judged

PACKAGE = {
    "serializedFile": "model.pt2",
    "handler": "tensor",
    "samples": {"file": "samples.jsonl"},
    "optimize": {"candidates": ["Onnx"]},
}
FLOAT = {"candidate": "Float", "verdict": "Passed", "sizeBytes": 9, "latencyMilliseconds": "0.5"}
ONNX = {
    "candidate": "Onnx",
    "verdict": "Packaged",
    "sizeBytes": 8,
    "latencyMilliseconds": "0.1",
    "difference": "1e-07",
    "message": "It is the best one within the tolerance.",
}


def optimized(rows: Any) -> Cluster:
    said = packaged()
    said["package"]["optimization"] = rows
    return judged(said, PACKAGE)


def test_every_form_has_its_row_in_the_status() -> None:
    cluster = optimized([FLOAT, ONNX])
    assert cluster.status["phase"] == "Succeeded"
    assert cluster.status["package"]["optimization"] == [{**FLOAT, "message": ""}, ONNX]


@pytest.mark.parametrize(
    "rows",
    ["Onnx", [{"candidate": "Onnx"}], [{**ONNX, "message": "x" * 600}], [ONNX] * (MAX_FORMS + 1)],
)
def test_rows_that_are_none_are_no_word_of_the_packager(rows: Any) -> None:
    cluster = optimized(rows)
    assert condition(cluster, "Failed")["reason"] == reasons.PACKAGING_FAILED
