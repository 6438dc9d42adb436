"""Candidates of exported models, made and measured as the packaging pod does it."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from dev.images import buildah, product
from slipway_handlers.formats.code import ALLOWED
from slipway_pods.package import mar
from slipway_pods.package.optimize.choice import packaged_suffix
from slipway_pods.package.optimize.packaged import with_best
from slipway_pods.package.samples import handed
from slipway_pods.package.samples.handed import Built
from tests.harness.trainer import Enter
from tests.image.exported import PYTHON, Made, archive, ask, by_python, make

pytestmark = pytest.mark.image

RUN = """
import os, sys
from slipway_pods.package.samples import answer, handed
for there, place in ((sys.argv[1], handed.BUILT), (sys.argv[2], handed.ANSWERS)):
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(there)
sys.exit(answer.main(os.environ))
"""
"""The container that answers, whose folders are a test's own."""
SPEC: dict[str, Any] = {
    "objective": "Size",
    "candidates": ["Onnx", "Int8Dynamic", "Int8Static", "TorchaoInt8"],
    "tolerance": 0.02,
    "timeoutSeconds": 600,
}
CASES = {
    "digits": ("tabular", "model.pt2", "samples.jsonl"),
    "onnx": ("tabular", "model.onnx", "samples.jsonl"),
    "texts": ("text-classification", "texts.pt2", "texts.jsonl"),
}


@dataclass(frozen=True)
class Place:
    """A folder that the Python server's image sees, and what the trainer has made there."""

    root: Path
    enter: Enter
    made: Made

    def packaged(self, name: str, **changed: Any) -> tuple[Built, Path]:
        """Return the archive as it is packaged, and where what was handed on lies."""
        handler, file, rows = CASES[name]
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))
        built, answers = folder / handed.MADE, folder / "answers"
        answers.mkdir()
        whole = archive(folder, self.made, name, handler, file)
        handed.give(Built(whole), self.made.folder / rows, built)
        told = {"modelName": name, "tolerance": 0.001, "timeoutSeconds": 300}
        spec = {**SPEC, **changed}
        words = ["env", "HOME=/tmp", "OMP_NUM_THREADS=1", f"{ALLOWED}=true", f"TMPDIR={folder}"]
        words += [f"SLIPWAY_SAMPLES={json.dumps(told)}", f"SLIPWAY_OPTIMIZE={json.dumps(spec)}"]
        words += [f"SLIPWAY_TERMINATION_LOG={folder}/word", PYTHON, "-c", RUN, str(built)]
        command = self.enter([*words, str(answers)])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handed, "BUILT", built)
            patch.setattr(handed, "ANSWERS", answers)
            return with_best(spec, handed.taken(), folder), folder


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name:
        root = Path(name)
        trainer, python = (product.ensure_stored(each).reference for each in ("trainer", "python"))
        with buildah.container(trainer, root) as enter:
            made = make(root, enter)
        with buildah.container(python, root) as enter:
            yield Place(root, enter, made)


@pytest.fixture(scope="module")
def packaged(place: Place) -> Callable[[str], tuple[Built, Path]]:
    """Optimizes a model by its name, once for all tests."""
    return cache(place.packaged)


def rows_of(built: Built) -> dict[str, Any]:
    return {row["candidate"]: row for row in built.optimization}


@pytest.mark.parametrize("name", CASES)
def test_eight_bits_are_smaller_and_agree(
    packaged: Callable[[str], tuple[Built, Path]], name: str
) -> None:
    rows = rows_of(packaged(name)[0])
    plain = rows["Float"]["sizeBytes"]
    for candidate in ("Int8Dynamic", "Int8Static"):
        row = rows[candidate]
        assert row["verdict"] in ("Packaged", "Passed", "Refused"), row
        assert row["sizeBytes"] < plain / 2, row
        assert float(row["agreement"]) >= 0.95, row
    assert float(rows["Float"]["difference"]) == 0


@pytest.mark.parametrize("name", CASES)
def test_the_smallest_within_the_tolerance_is_in_the_archive(
    packaged: Callable[[str], tuple[Built, Path]], name: str
) -> None:
    built, _ = packaged(name)
    rows = rows_of(built)
    (best,) = (row for row in rows.values() if row["verdict"] == "Packaged")
    assert best["candidate"] in ("Int8Dynamic", "Int8Static"), rows
    assert float(best["agreement"]) >= 0.98
    with ZipFile(built.archive) as bundle:
        kept = json.loads(bundle.read(mar.MANIFEST))["model"]["serializedFile"]
        assert kept.endswith(".onnx")
        assert bundle.getinfo(kept).file_size == best["sizeBytes"]
        assert not [each for each in bundle.namelist() if each.endswith(".pt2")]


def test_onnx_answers_as_the_program_does(packaged: Callable[[str], tuple[Built, Path]]) -> None:
    row = rows_of(packaged("digits")[0])["Onnx"]
    assert float(row["difference"]) < 1e-4
    assert row["agreement"] == "1"


def test_a_model_that_is_onnx_already_is_no_candidate_of_its_own_and_no_program(
    packaged: Callable[[str], tuple[Built, Path]],
) -> None:
    rows = rows_of(packaged("onnx")[0])
    assert rows["Onnx"]["verdict"] == rows["TorchaoInt8"]["verdict"] == "Failed"
    assert "the model is ONNX as it was exported" in rows["Onnx"]["message"]
    assert "the model is ONNX: export it as .pt2" in rows["TorchaoInt8"]["message"]


LOAD = """
import importlib.util, sys, torch
assert not importlib.util.find_spec("torchao")
plain, small = (torch.export.load(path).module() for path in sys.argv[1:])
rows = torch.rand(300, 64) * 16
for count in (1, 7, 300):
    both = [model(rows[:count]) for model in (plain, small)]
    assert (both[0] - both[1]).abs().max() < 0.05 * both[0].abs().max()
"""


def test_torchaos_linear_layers_are_smaller_and_loaded_without_torchao(place: Place) -> None:
    built, folder = place.packaged("digits", candidates=["TorchaoInt8"])
    rows = rows_of(built)
    assert rows["TorchaoInt8"]["verdict"] == "Packaged", rows
    assert rows["TorchaoInt8"]["sizeBytes"] < 0.6 * rows["Float"]["sizeBytes"]
    assert float(rows["TorchaoInt8"]["agreement"]) >= 0.98
    assert packaged_suffix(built.optimization) == ".pt2"
    assert len((folder / "answers" / "answers.jsonl").read_text().splitlines()) > 100
    with ZipFile(built.archive) as bundle:
        bundle.extract("model.pt2", folder)
    image = product.ensure_stored("trainer").reference
    with buildah.container(image, place.root) as enter:
        words = [PYTHON, "-c", LOAD, str(place.made.folder / "model.pt2"), f"{folder}/model.pt2"]
        subprocess.run(enter(["env", "HOME=/tmp", *words]), check=True)


def test_the_archive_answers_as_its_samples_were_answered(
    place: Place, packaged: Callable[[str], tuple[Built, Path]]
) -> None:
    built, folder = packaged("digits")
    answers = (folder / "answers" / "answers.jsonl").read_text().splitlines()
    whole = built.archive.rename(folder / "digits.mar")
    with by_python(folder, [whole], place.enter) as urls:
        for body, line in list(zip(place.made.rows(), answers, strict=True))[:20]:
            (told,), (expected,) = ask(urls["digits"], "digits", body), json.loads(line)["answer"]
            assert told["label"] == expected["label"]
            assert told["score"] == pytest.approx(expected["score"], rel=1e-3)


def test_a_form_that_misses_the_tolerance_is_refused_and_the_float_model_packaged(
    place: Place,
) -> None:
    built, folder = place.packaged("digits", tolerance=0, candidates=["Onnx"])
    rows = rows_of(built)
    assert rows["Onnx"]["verdict"] == "Refused"
    assert "no smaller" in rows["Onnx"]["message"]
    assert rows["Float"]["verdict"] == "Packaged"
    with ZipFile(built.archive) as bundle:
        assert "model.pt2" in bundle.namelist()
    assert len((folder / "answers" / "answers.jsonl").read_text().splitlines()) > 100


def test_candidates_that_take_too_long_are_left_out_and_the_model_is_packaged(
    place: Place,
) -> None:
    built, _ = place.packaged("digits", timeoutSeconds=1)
    rows = rows_of(built)
    assert rows["Float"]["verdict"] == "Packaged"
    assert {rows[name]["verdict"] for name in SPEC["candidates"]} == {"Failed"}
    assert "not measured in time" in rows["Int8Static"]["message"]
