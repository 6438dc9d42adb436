"""What a compiled program is for: read in its file, told in the record, checked before it loads."""

import contextlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_handlers.formats import compiled
from slipway_handlers.formats.compiled import LEVELS, Target
from slipway_handlers.formats.inputs import Inputs
from slipway_pods.package import machine_code, mar
from slipway_pods.package.optimize.candidates import Source
from slipway_runtime.exporting import compiling
from slipway_runtime.termination import EX_DATAERR
from tests.unit.runtime import archives
from tests.unit.runtime.package.test_package import LINEAGE_KEY, Packager

V3 = LEVELS["x86-64-v3"]
ROWS = {"inputs": [{"dtype": "float32", "shape": ["s0", 4]}], "sides": {"s0": [1, None]}}
MADE_FOR = Target("x86-64-v3", "2.13.0", Inputs.read(json.dumps(ROWS)))
TOLD = {
    "AOTI_CPU_ISA": "AVX2",
    "slipway.cpu": "x86-64-v3",
    "slipway.torch": "2.13.0",
    "slipway.inputs": json.dumps(ROWS),
}


def program(told: Any = TOLD, folder: str = "model/data/aotinductor/model/") -> io.BytesIO:
    """Return a file as AOTInductor's are: a folder with a library, and what is told of it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        bundle.writestr("model/archive_format", "pt2")
        bundle.writestr(f"{folder}cabc.wrapper.so", b"\x7fELF")
        if told is not None:
            text = told if isinstance(told, bytes) else json.dumps(told)
            bundle.writestr(f"{folder}cabc.wrapper_metadata.json", text)
    made.seek(0)
    return made


def test_handlers_read_what_the_helper_writes() -> None:
    written = (compiling.CPU_KEY, compiling.TORCH_KEY, compiling.INPUTS_KEY)
    assert written == (compiled.CPU, compiled.TORCH, compiled.INPUTS)
    assert compiling.CPU in LEVELS
    assert compiling.BITS == compiled.BITS


def test_a_compiled_program_says_what_it_is_for() -> None:
    assert compiled.target(program()) == MADE_FOR


def test_a_program_that_is_not_compiled_is_for_every_server() -> None:
    assert compiled.target(program(folder="model/models/")) is None
    assert compiled.target(io.BytesIO(b"no archive")) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {**TOLD, "slipway.torch": 2},
        {**TOLD, "slipway.inputs": "{}"},
        {**TOLD, "slipway.cpu": ""},
        {**TOLD, "slipway.cpu": "a\nline"},
        {**TOLD, "slipway.cpu": "x" * 65},
        {**TOLD, "more": "x" * compiled.MOST_BYTES},
        b"[" * 5000,
        b"\xff",
    ],
    ids=range(11),
)
def test_one_that_does_not_say_is_refused_with_what_to_write(told: Any) -> None:
    with pytest.raises(ValueError, match='format="aoti"'):
        compiled.target(program(told))


def test_one_that_tells_it_in_a_damaged_entry_is_not_taken_for_one_that_is_not_compiled() -> None:
    damaged = program().getvalue().replace(b"x86-64-v3", b"x86-64-v4")
    with pytest.raises(ValueError, match='format="aoti"'):
        compiled.target(io.BytesIO(damaged))


@given(st.binary(max_size=300))
def test_whatever_is_told_is_read_or_refused(told: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(compiled.target(program(told)), Target)


@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_a_damaged_file_is_none_that_is_compiled_or_refused(
    more: bytes, place: int, value: int
) -> None:
    data = bytearray(program().getvalue() + more)
    data[place % len(data)] = value
    with contextlib.suppress(ValueError):
        assert compiled.target(io.BytesIO(bytes(data))) in (None, MADE_FOR)


def test_a_server_with_all_of_it_differs_in_nothing() -> None:
    assert compiled.differences(MADE_FOR, "2.13.0", [*V3, "avx512f"]) == []


def test_all_that_a_server_lacks_is_named() -> None:
    assert compiled.differences(MADE_FOR, "2.14.0", V3 - {"avx2", "fma"}) == [
        "torch 2.13.0, and this server has 2.14.0",
        "CPUs of the level x86-64-v3, and this one lacks avx2, fma",
    ]
    assert compiled.differences(Target("riscv", "2.13.0", MADE_FOR.inputs), "2.13.0", V3) == [
        "CPUs of the level riscv, and this server knows x86-64-v3"
    ]


def test_instructions_are_those_that_all_processors_have(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor: 0\nflags\t\t: avx avx2 fma\n\nprocessor: 1\nflags\t\t: avx fma\n")
    assert compiled.instructions(told) == {"avx", "fma"}
    told.write_text("processor: 0\n")
    assert compiled.instructions(told) == frozenset()


def test_no_candidate_is_made_of_machine_code(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    for told in (TOLD, None):
        path.write_bytes(program(told).getvalue())
        with pytest.raises(ValueError, match="the model is compiled: export it without"):
            Source(path, (), tmp_path).onnx()


def archive(folder: Path, model: bytes) -> Path:
    path, handler = folder / "model.pt2", folder / "handler.py"
    path.write_bytes(model)
    handler.write_text("class Handler: ...")
    return mar.build(mar.Contents("net", "1.0", path, handler), folder)


def test_what_an_archives_model_is_for_is_read_within_the_archive(tmp_path: Path) -> None:
    made = archive(tmp_path, program().getvalue())
    told = {"cpu": "x86-64-v3", "torch": "2.13.0"}
    assert machine_code.compiled_for(made, must_tell=True) == told
    assert machine_code.compiled_for(archive(tmp_path, b"program"), must_tell=True) is None


def test_the_same_holds_for_an_archive_whose_model_was_put_in_later(tmp_path: Path) -> None:
    made, target = archive(tmp_path, b"program"), tmp_path / "other.mar"
    (tmp_path / "better.pt2").write_bytes(program().getvalue())
    mar.swap_model(made, target, tmp_path / "better.pt2")
    told = {"cpu": "x86-64-v3", "torch": "2.13.0"}
    assert machine_code.compiled_for(target, must_tell=True) == told


def test_only_a_users_own_handler_may_load_one_that_does_not_say(tmp_path: Path) -> None:
    made = archive(tmp_path, program(None).getvalue())
    with pytest.raises(mar.ArchiveError, match="does not say for which CPU, torch and inputs"):
        machine_code.compiled_for(made, must_tell=True)
    assert machine_code.compiled_for(made, must_tell=False) is None


def test_a_directory_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive(tmp_path, program().getvalue())
    monkeypatch.setattr(machine_code, "MOST_BYTES", 100)
    with pytest.raises(mar.ArchiveError, match=r"model\.pt2 has a directory of more than"):
        machine_code.compiled_for(made, must_tell=False)


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255))))
def test_any_model_in_an_archive_is_read_or_refused(
    more: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(program().getvalue() + more)
    for place, value in changes:
        data[place % len(data)] = value
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(mar.ArchiveError):
        made = archive(Path(folder), bytes(data))
        found = machine_code.compiled_for(made, must_tell=True)
        assert found is None or set(found) == {"cpu", "torch"}


def test_the_record_tells_what_a_compiled_model_is_for_and_that_it_is_code(
    packager: Packager,
) -> None:
    (packager.output / "model.pt2").write_bytes(program().getvalue())
    packager.store()
    changed = {"handler": "tensor", "serializedFile": "model.pt2", "modelFile": None}
    assert packager.run(**changed) == 0
    record = json.loads(packager.s3.read(LINEAGE_KEY))
    assert record["compiledFor"] == {"cpu": "x86-64-v3", "torch": "2.13.0"}
    assert record["runsAsCode"] == ["model.pt2"]


def test_a_compiled_model_that_no_pod_would_load_is_not_packaged(packager: Packager) -> None:
    (packager.output / "model.pt2").write_bytes(program(None).getvalue())
    packager.store()
    changed = {"handler": "tensor", "serializedFile": "model.pt2", "modelFile": None}
    assert packager.run(**changed) == EX_DATAERR
    assert packager.word["reason"] == "InvalidPackage"
    assert 'format="aoti"' in packager.word["message"]


@pytest.mark.parametrize(("name", "more"), [("model.pt2", {"handler": "tensor"}), ("model.pt", {})])
def test_a_model_that_python_and_torch_read_otherwise_is_not_packaged(
    packager: Packager, name: str, more: dict[str, Any]
) -> None:
    harmless = {"model/data/aotinductoR/model/cabc.so": b"", "model/archive_format": b"pt2"}
    compiled_one = {"model/data/aotinductor/model/cabc.so": b"ELF", "model/archive_format": b"pt2"}
    both = archives.two_lists(archives.zipped(harmless), archives.zipped(compiled_one))
    (packager.output / name).write_bytes(both)
    packager.store()
    changed = {"serializedFile": name, "modelFile": None, **more}
    assert packager.run(**changed) == EX_DATAERR
    assert packager.word["reason"] == "InvalidPackage"
    assert f"{name} is read differently" in packager.word["message"]


@pytest.mark.parametrize("name", ["net.so", "lib/.so"])
def test_the_record_names_a_library_as_code(packager: Packager, name: str) -> None:
    (packager.output / name).parent.mkdir(exist_ok=True)
    (packager.output / name).write_text("library")
    packager.store()
    assert packager.run(serializedFile=name, modelFile=None) == 0
    assert json.loads(packager.s3.read(LINEAGE_KEY))["runsAsCode"] == [name]
