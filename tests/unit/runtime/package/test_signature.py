"""A signature that the script wrote beside its weights comes to lie in the archive, unasked."""

import json

import numpy as np
import pytest

import slipway_runtime as slipway
from slipway_runtime.termination import EX_DATAERR
from tests.unit.runtime.package.test_package import LINEAGE_KEY, Packager


def test_a_signature_in_the_output_is_packaged_and_the_lineage_names_it(packager: Packager) -> None:
    slipway.signature(np.zeros((2, 4), np.float32), folder=packager.output)
    packager.store()
    assert packager.run() == 0
    text = (packager.output / "signature.json").read_bytes()
    assert packager.archive.read("signature.json") == text


@pytest.mark.parametrize("named", ["signature.json", "own/signature.json"])
def test_a_signature_that_is_an_extra_file_is_the_one_that_counts(
    packager: Packager, named: str
) -> None:
    slipway.signature([[1.0]], folder=packager.output)
    (packager.source / "own").mkdir()
    (packager.source / "own/signature.json").write_text("{}")
    packager.store()
    assert packager.run(extraFiles=[named]) == 0
    kept = packager.source if named.startswith("own") else packager.output
    assert packager.archive.read("signature.json") == (kept / named).read_bytes()


def test_a_handler_of_the_release_takes_no_signature_that_is_none(packager: Packager) -> None:
    (packager.output / "signature.json").write_text('{"slipwaySignature": 2}')
    packager.store()
    assert packager.run(handler="tensor") == EX_DATAERR
    assert packager.word == {
        "reason": "InvalidPackage",
        "message": "The output's signature.json: slipwaySignature: write 1, the version of the "
        "format.",
    }


def test_settings_of_the_signature_are_checked_as_the_specs_own(packager: Packager) -> None:
    slipway.signature([[1.0]], preprocessing={"colour": 28}, folder=packager.output)
    packager.store()
    assert packager.run(handler="image-classification") == EX_DATAERR
    assert "has no setting colour" in packager.word["message"]


def test_a_users_own_handler_may_have_a_file_of_that_name(packager: Packager) -> None:
    (packager.output / "signature.json").write_text(json.dumps({"mine": True}))
    packager.store()
    assert packager.run() == 0
    assert json.loads(packager.archive.read("signature.json")) == {"mine": True}


def test_a_program_of_torch_is_code_and_onnx_is_none(packager: Packager) -> None:
    for name in ("net.pt2", "net.onnx"):
        (packager.output / name).write_text("program")
    packager.store()
    for name, is_code in (("net.pt2", True), ("net.onnx", False)):
        assert packager.run(handler="tensor", serializedFile=name, modelFile=None) == 0
        assert ("runsAsCode" in json.loads(packager.s3.read(LINEAGE_KEY))) == is_code


@pytest.mark.parametrize("handler", ["tabular", "sklearn"])
def test_a_handler_of_tables_needs_columns_that_it_can_do_with(
    packager: Packager, handler: str
) -> None:
    rows = {"x": {"dtype": "float32", "shape": [-1, 2]}, "y": {"dtype": "float32"}}
    slipway.signature(rows, folder=packager.output)
    packager.store()
    assert packager.run(handler=handler) == EX_DATAERR
    assert "signature.json: input x has the shape [-1, 2]" in packager.word["message"]


def test_the_record_names_a_pickle_as_code(packager: Packager) -> None:
    slipway.signature({"age": [31.5]}, folder=packager.output)
    packager.store()
    assert packager.run(handler="sklearn") == 0
    assert json.loads(packager.s3.read(LINEAGE_KEY))["runsAsCode"] == ["model.pt"]
    assert packager.run(handler="tabular") == 0
    assert "runsAsCode" not in json.loads(packager.s3.read(LINEAGE_KEY))
