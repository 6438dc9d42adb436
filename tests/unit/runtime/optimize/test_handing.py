"""What the container with the keys takes of the one that measured, whoever wrote it."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.package import built_in, mar
from slipway_pods.package.optimize import figures, handing
from slipway_pods.package.optimize.choice import packaged_suffix
from slipway_pods.package.optimize.figures import FLOAT, Figures
from slipway_pods.package.optimize.packaged import with_best
from slipway_pods.package.samples import handed
from slipway_pods.package.samples.handed import Built
from slipway_runtime.checks.package_code import PackageError

SPEC = {"objective": "Size", "candidates": ["Int8Static"], "tolerance": 0.01, "timeoutSeconds": 60}
MODEL = b"exported" * 1000
SMALL = b"quantized" * 100
BEST = handing.handed_name("Int8Static")


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "answers"
    folder.mkdir()
    monkeypatch.setattr(handed, "ANSWERS", folder)
    return folder


def archive(folder: Path, *extra: str) -> Path:
    model, handler = folder / "model.pt2", folder / "handler.py"
    model.write_bytes(MODEL)
    handler.write_text("class Handler: ...")
    (folder / "extra").mkdir()
    for name in ("labels.txt", *extra):
        (folder / "extra" / name).write_text(name)
    contents = mar.Contents("net", "1.0", model, handler, extra=folder / "extra")
    return mar.build(contents, folder)


def give(answers: Path, model: bytes | None = SMALL, **changed: Any) -> None:
    """Write what the other container leaves: figures of both forms, and the better one's file."""
    small = Figures("Int8Static", len(SMALL), 1.0, 0.0, 1.0)
    told = {**small.told, **changed}
    lines = figures.line(Figures(FLOAT, len(MODEL), 2.0, 0.0, 1.0)) + json.dumps(told).encode()
    (answers / handing.FIGURES).write_bytes(lines)
    if model is not None:
        (answers / BEST).write_bytes(model)


def made(folder: Path, **spec: Any) -> Built:
    (folder / "out").mkdir(exist_ok=True)
    return with_best({**SPEC, **spec}, Built(folder / "net.mar"), folder / "out")


def test_the_best_form_takes_the_models_place_and_all_else_stays(
    tmp_path: Path, answers: Path
) -> None:
    before = archive(tmp_path)
    give(answers)
    found = made(tmp_path)
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(found.archive) as new:
        assert set(old.namelist()) ^ set(new.namelist()) == {"model.pt2", "model.onnx"}
        assert new.namelist() == sorted(new.namelist())
        assert new.read("model.onnx") == SMALL
        assert new.read("labels.txt") == b"labels.txt"
        manifest = json.loads(new.read(mar.MANIFEST))
        assert manifest["model"]["serializedFile"] == "model.onnx"
        assert manifest["model"]["handler"] == "handler.py"
    package = {"serializedFile": "model.pt2", "handler": "tensor"}
    assert built_in.code(package) == ["model.pt2"]
    assert built_in.code(package, packaged_suffix(found.optimization)) == []
    verdicts = [(row["candidate"], row["verdict"]) for row in found.optimization]
    assert verdicts == [("Float", "Passed"), ("Int8Static", "Packaged")]


def test_a_form_that_is_a_program_too_takes_the_models_name(tmp_path: Path, answers: Path) -> None:
    archive(tmp_path)
    give(answers, None, name="TorchaoInt8")
    (answers / handing.handed_name("TorchaoInt8")).write_bytes(SMALL)
    found = made(tmp_path, candidates=["TorchaoInt8"])
    with zipfile.ZipFile(found.archive) as new:
        assert new.read("model.pt2") == SMALL
        assert json.loads(new.read(mar.MANIFEST))["model"]["serializedFile"] == "model.pt2"
    package = {"serializedFile": "model.pt2", "handler": "tensor"}
    assert built_in.code(package, packaged_suffix(found.optimization)) == ["model.pt2"]


def test_the_same_archive_and_form_give_the_same_bytes(tmp_path: Path, answers: Path) -> None:
    archive(tmp_path)
    give(answers)
    first = made(tmp_path).archive.read_bytes()
    assert made(tmp_path).archive.read_bytes() == first


def test_the_float_model_stays_where_no_form_is_better(tmp_path: Path, answers: Path) -> None:
    before = archive(tmp_path)
    give(answers, agreement=0.5)
    found = made(tmp_path)
    assert found.archive == before
    assert [row["verdict"] for row in found.optimization] == ["Packaged", "Refused"]


def test_another_file_of_the_forms_name_is_not_replaced(tmp_path: Path, answers: Path) -> None:
    archive(tmp_path, "model.onnx")
    give(answers)
    with pytest.raises(mar.ArchiveError, match="rename the file of that name"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("model", "changed", "why"),
    [
        (None, {}, "No such file"),
        (SMALL + b"x", {}, "has not the 900 bytes"),
        (SMALL[:-1], {}, "has not the 900 bytes"),
        (b"", {}, "has not the 900 bytes"),
    ],
)
def test_a_file_that_is_not_what_was_measured_is_refused(
    tmp_path: Path, answers: Path, model: bytes | None, changed: dict[str, Any], why: str
) -> None:
    archive(tmp_path)
    give(answers, model, **changed)
    with pytest.raises(PackageError, match=why) as refused:
        made(tmp_path)
    assert refused.value.reason == "OptimizationFailed"


def test_a_float_model_that_is_said_to_be_larger_than_it_is_makes_none_better(
    tmp_path: Path, answers: Path
) -> None:
    before = archive(tmp_path)
    large = len(MODEL) * 2
    give(answers, b"x" * large, sizeBytes=large)
    lines = (answers / handing.FIGURES).read_bytes().splitlines()
    huge = figures.line(Figures(FLOAT, 1 << 40, 2.0, 0.0, 1.0))
    (answers / handing.FIGURES).write_bytes(huge + lines[1])
    assert made(tmp_path).archive == before


def test_links_and_pipes_are_not_followed_to_a_key(tmp_path: Path, answers: Path) -> None:
    archive(tmp_path)
    give(answers, None)
    (tmp_path / "key").write_bytes(SMALL)
    (answers / BEST).symlink_to(tmp_path / "key")
    with pytest.raises(PackageError, match="leads out of the folder"):
        made(tmp_path)
    (answers / BEST).unlink()
    os.mkfifo(answers / BEST)
    with pytest.raises(PackageError, match="no regular file"):
        made(tmp_path)


def test_without_figures_the_float_model_is_packaged_and_that_is_said(
    tmp_path: Path, answers: Path
) -> None:
    before = archive(tmp_path)
    (answers / handing.FIGURES).write_bytes(b"")
    found = made(tmp_path)
    assert found.archive == before
    assert [row["verdict"] for row in found.optimization] == ["Packaged", "Failed"]
    assert "not measured in time" in found.optimization[1]["message"]
