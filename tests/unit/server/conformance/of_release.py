"""Archives of the release's own handlers, with the signatures that they go by."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_pods.package import built_in
from slipway_runtime.model_signature import describe
from tests.unit.server.conformance.case import Asked, Case, as_json

PAIR = """
import torch


class Pair(torch.nn.Module):
    def forward(self, left, right):
        return left.sum(dim=1) + right, 2 * right
"""
GROWERS = """
import torch


class Growers(torch.nn.Module):
    def forward(self, rows):
        weights = torch.tensor([[1.0, -1.0], [0.5, 0.25], [-2.0, 2.0], [0.125, 1.0]])
        return torch.nan_to_num(rows) @ weights
"""
SITES = """
import torch


class Sites(torch.nn.Module):
    def forward(self, letters):
        return letters.sum(dim=2)[:, :3]
"""
NAMES = """
import torch


class Names(torch.nn.Module):
    def forward(self, numbers):
        return torch.nn.functional.one_hot(numbers.clamp(max=2), 3).float() * 4
"""
TABLE = {"age": [31.5, None], "colour": ["red", "blue", "red", "blue"], "member": [True, False]}
"""Features: the age, two of the colour, and whether somebody is a member."""


def brought(name: str, told: Mapping[str, Any], **more: str) -> Mapping[str, str]:
    """Return the files of an archive: those of a handler, its signature and more."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        built_in.bring(name, folder, folder)
        found = {
            str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.py"))
        }
    return {**found, "signature.json": json.dumps(told), **more}


def case(about: str, name: str, told: Mapping[str, Any], net: str, *asked: Asked) -> Case:
    vocabulary = {"vocab.txt": "[PAD]\nann\nrome\nin\n"} if name in TOKENS else {}
    files = brought(name, told, **{"own_net.py": net}, **vocabulary)
    handler = f"slipway_{Path(built_in.HANDLERS[name].file).name}"
    return Case(about, files, asked, handler=handler, model={"modelFile": "own_net.py"})


TOKENS = ("text-classification", "token-classification")
ROW = {"age": 31.5, "colour": "red", "member": True}
OF_RELEASE: dict[str, Case] = {
    "declared": case(
        "the handler tensor with two inputs and two outputs by name",
        "tensor",
        describe(
            {
                "left": {"dtype": "float32", "shape": [-1, -1]},
                "right": {"dtype": "int64", "shape": [-1]},
            },
            {"sum": {"dtype": "float32"}, "twice": {"dtype": "int64"}},
        ),
        PAIR,
        as_json([{"left": [1, 2], "right": 3}]),
        as_json({"instances": [{"left": [0.5], "right": -1}]}),
        as_json({"inputs": {"left": [[1], [2]], "right": [3, 4]}}),
        as_json([{"left": [1], "right": 0.5}]),
    ),
    "tabular": case(
        "the handler tabular",
        "tabular",
        describe(TABLE, labels=["no", "yes"]),
        GROWERS,
        as_json([ROW]),
        as_json({"instances": [ROW, {"colour": "blue", "member": False}]}),
        Asked(b"age,colour,member\n31.5,red,true\n,blue,false\n", "text/csv"),
        as_json([{**ROW, "colour": "green"}]),
    ),
    "letters": case(
        "the handler sequence",
        "sequence",
        describe({"sequence": {"dtype": "string"}}, labels=["donor", "acceptor", "neither"]),
        SITES,
        Asked(b">one\nACG\nTAA\n", "text/plain"),
        as_json({"sequence": "ccg"}),
        Asked(b"ACX", "text/plain"),
    ),
    "tokens": case(
        "the handler token-classification",
        "token-classification",
        describe({"text": {"dtype": "string"}}, labels=["O", "B-PER", "I-PER"]),
        NAMES,
        Asked(b"Ann in Rome", "text/plain"),
        as_json({"text": "Ann Rome"}),
        as_json({"text": ""}),
    ),
}
"""Those that need torch; `sklearn` is asked in `tests/unit/server/test_estimators.py`."""
