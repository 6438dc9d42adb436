"""Where the weights of an input's archive are; torch itself is asked in tests/image."""

import contextlib
import io
import json
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.checks import zip_end
from slipway_runtime.teaching.weights import MAX_MANIFEST_BYTES, check_weights, weights_file
from tests.unit.runtime import archives


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
    (inputs / "teacher" / file).write_bytes(b"\x80\x02weights")
    check_weights("teacher", inputs / "teacher" / file)


def zipped(compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return weights in a zip archive; `torch.save` stores them as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        made.writestr("model/data.pkl", b"\x80\x02}.")
        made.writestr("model/data/0", bytes(100_000))
    return buffer.getvalue()


def twice(data: bytes) -> bytes:
    """Return an archive whose list of contents names each file twice."""
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack("<II", data[end + 12 : end + 20])
    listed = data[start : start + size]
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 4, 4, 2 * size, start, 0)
    return data[:start] + listed + listed + tail


def test_weights_as_torch_saves_them_are_a_state_dict(inputs: Path) -> None:
    path = inputs / "teacher/model.pt"
    path.write_bytes(zipped())
    check_weights("teacher", path)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (zipped(zipfile.ZIP_DEFLATED), "holds more bytes than it has"),
        (twice(zipped()), "is there twice"),
    ],
    ids=["compressed", "listed twice"],
)
def test_weights_that_would_grow_in_memory_are_refused(inputs: Path, data: bytes, why: str) -> None:
    path = inputs / "teacher/model.pt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=why):
        check_weights("teacher", path)


@given(st.integers(4, len(zipped(zipfile.ZIP_DEFLATED)) - 1), st.binary(max_size=8))
def test_weights_that_are_broken_are_refused_or_left_to_torch(at: int, other: bytes) -> None:
    whole = zipped(zipfile.ZIP_DEFLATED)
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        file.write(whole[:at] + other + whole[at + len(other) :])
        file.flush()
        with contextlib.suppress(ValueError):
            check_weights("teacher", Path(file.name))


def test_weights_that_python_and_torch_read_otherwise_are_refused(inputs: Path) -> None:
    harmless, bomb = (
        archives.zipped({"model/data.pkl": b"\x80\x02}.", "model/data/0": content}, method)
        for content, method in ((b"", zipfile.ZIP_STORED), (bytes(10**6), zipfile.ZIP_DEFLATED))
    )
    path = inputs / "teacher/model.pt"
    path.write_bytes(archives.two_lists(harmless, bomb))
    with zipfile.ZipFile(path) as opened:
        assert sum(each.file_size for each in opened.infolist()) < 10
    with pytest.raises(ValueError, match=r"a broken file of torch\.save"):
        check_weights("teacher", path)


def test_weights_of_which_torch_takes_one_of_two_names_are_refused(inputs: Path) -> None:
    path = inputs / "teacher/model.pt"
    path.write_bytes(archives.zipped({"a/data.pkl": b"\x80\x02}.", "a/DATA.pkl": b"\x80\x02]."}))
    with pytest.raises(ValueError, match="is there twice"):
        check_weights("teacher", path)


def test_a_list_of_contents_without_end_is_not_read(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inputs / "teacher/model.pt"
    path.write_bytes(zipped())
    monkeypatch.setattr(zip_end, "MOST_LIST_BYTES", 100)
    with pytest.raises(ValueError, match="its list of contents has more than"):
        check_weights("teacher", path)


def test_weights_that_were_cut_are_refused(inputs: Path) -> None:
    path = inputs / "teacher/model.pt"
    path.write_bytes(zipped()[:-30])
    with pytest.raises(ValueError, match=r"a broken file of torch\.save"):
        check_weights("teacher", path)
