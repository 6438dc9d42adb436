"""Where the weights of an input's archive are; torch itself is asked in tests/image."""

import json
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.teaching.weights import MAX_MANIFEST_BYTES, check_weights, weights_file


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_INPUTS_DIR", str(tmp_path))
    (tmp_path / "teacher/MAR-INF").mkdir(parents=True)
    (tmp_path / "teacher/model.pt").touch()
    (tmp_path / "other.pt").touch()
    return tmp_path


def tell(inputs: Path, manifest: Any) -> None:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    (inputs / "teacher/MAR-INF/MANIFEST.json").write_text(text)


def test_the_file_is_the_one_that_the_manifest_names(inputs: Path) -> None:
    tell(inputs, {"model": {"serializedFile": "model.pt"}})
    assert weights_file("teacher") == inputs / "teacher/model.pt"


def test_an_input_that_is_no_archive_or_not_there_says_what_to_write(inputs: Path) -> None:
    for name in ("teacher", "nobody"):
        with pytest.raises(FileNotFoundError, match=f"name: {name}, trainingJob: "):
            weights_file(name)


@pytest.mark.parametrize(
    "manifest",
    [
        "no JSON",
        "[" * 100_000,
        " " * (MAX_MANIFEST_BYTES + 1),
        [],
        {"model": None},
        {"model": {}},
        {"model": {"serializedFile": 5}},
    ],
    ids=lambda one: str(one)[:20],
)
def test_a_manifest_that_names_no_file_is_refused(inputs: Path, manifest: Any) -> None:
    tell(inputs, manifest)
    with pytest.raises(ValueError, match="names no serializedFile"):
        weights_file("teacher")


@pytest.mark.parametrize("file", ["../other.pt", "none.pt", "MAR-INF", "/etc/passwd"])
def test_a_manifest_that_names_no_file_of_the_archives_is_refused(inputs: Path, file: str) -> None:
    tell(inputs, {"model": {"serializedFile": file}})
    with pytest.raises(ValueError, match="that the archive does not have"):
        weights_file("teacher")


@pytest.mark.parametrize(
    ("file", "way"),
    [("model.onnx", "onnxruntime.InferenceSession"), ("model.pt2", "torch.export.load")],
)
def test_an_exported_model_is_refused_with_the_way_to_run_it(
    inputs: Path, file: str, way: str
) -> None:
    (inputs / "teacher" / file).touch()
    tell(inputs, {"model": {"serializedFile": file}})
    with pytest.raises(ValueError, match=f"input teacher is {file}, .*no state_dict.*{way}"):
        check_weights("teacher", weights_file("teacher"))


@pytest.mark.parametrize("file", ["model.pt", "model.pth", "weights.bin"])
def test_a_state_dict_is_none(inputs: Path, file: str) -> None:
    check_weights("teacher", inputs / "teacher" / file)
