"""The packaging pod of an archive with samples: built, asked without credentials, and stored."""

import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.package.samples import handed
from slipway_pods.serve.samples import stored
from slipway_pods.serve.samples.rows import Sample
from slipway_runtime.checks.package_code import PackageError
from slipway_runtime.termination import EX_DATAERR
from tests.unit.runtime.package.test_package import LINEAGE_KEY, MODEL_KEY
from tests.unit.runtime.samples.conftest import HANDLER, ROWS, Pod


def test_rows_and_the_handlers_own_answers_are_stored_in_the_archive(pod: Pod) -> None:
    assert pod.build() == 0
    assert pod.word["reason"] == "Built"
    assert pod.answer() == 0
    assert pod.word == {"reason": "Answered", "message": "3 rows are answered."}
    assert pod.store() == 0
    assert pod.word["package"]["samples"] == 3
    head, *rows = (json.loads(line) for line in pod.entry.splitlines())
    assert head == {"tolerance": 0.0001}
    assert rows == [
        {"body": {"x": 1}, "answer": {"twice": 2}},
        {"body": {"x": 0.1}, "answer": {"twice": 0.2}},
        {"base64": "/w==", "contentType": "image/png", "answerBase64": "//8="},
    ]
    record = json.loads(pod.packager.s3.read(LINEAGE_KEY))
    assert record["package"]["samples"] == 3
    assert {"handler.py", "model.pt"} < set(pod.packager.archive.namelist())


def test_rows_may_be_an_extra_file_too(pod: Pod) -> None:
    pod.spec["extraFiles"] = ["rows.jsonl"]
    assert (pod.build(), pod.answer(), pod.store()) == (0, 0, 0)
    assert pod.packager.archive.read("rows.jsonl") == ROWS


OPTIMIZE = {"objective": "Size", "candidates": ["Onnx"], "tolerance": 0.01, "timeoutSeconds": 60}


def test_a_model_whose_candidates_cannot_be_measured_is_packaged_and_that_is_said(pod: Pod) -> None:
    assert pod.build() == 0
    assert pod.answer(SLIPWAY_OPTIMIZE=json.dumps(OPTIMIZE)) == 0
    assert pod.store(optimize=OPTIMIZE) == 0
    rows = pod.word["package"]["optimization"]
    assert [(row["candidate"], row["verdict"]) for row in rows] == [
        ("Float", "Packaged"),
        ("Onnx", "Failed"),
    ]
    assert rows[1]["message"].startswith("It has no figures: ")
    assert pod.word["package"]["samples"] == 3
    assert "model.pt" in pod.packager.archive.namelist()
    assert json.loads(pod.packager.s3.read(LINEAGE_KEY))["package"]["optimization"] == rows


def test_an_archive_with_samples_is_the_same_bytes_each_time(pod: Pod) -> None:
    contents = []
    for _ in range(2):
        assert (pod.build(), pod.answer(), pod.store()) == (0, 0, 0)
        contents.append(pod.packager.s3.read(MODEL_KEY))
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        ("import nothing_of_the_kind\n" + HANDLER, "cannot be loaded: the server ended"),
        ("def handle(data, context):\n    return data and [1 / 0]", "Row 1 is answered with 503"),
        (
            "import itertools\nN = itertools.count()\n\n\ndef handle(data, context):\n"
            "    return data and [next(N) for _ in data]",
            "does not answer a row the same way beside others: Row 3 is not answered",
        ),
        (
            "def handle(data, context):\n    return data and ['x' * 2_000_000 for _ in data]",
            "The answer to row 1 is longer than 1048576 bytes",
        ),
    ],
    ids=["not loaded", "fails", "counts", "long"],
)
def test_a_model_that_does_not_answer_its_rows_is_not_stored(
    pod: Pod, handler: str, why: str
) -> None:
    (pod.source / "handler.py").write_text(handler)
    assert pod.build() == 0
    assert pod.answer() == EX_DATAERR
    assert pod.word["reason"] == "SamplesFailed"
    assert why in pod.word["message"]


def test_a_model_that_is_slow_is_ended(pod: Pod) -> None:
    (pod.source / "handler.py").write_text(f"import time\ntime.sleep(600)\n{HANDLER}")
    assert pod.build() == 0
    assert pod.answer(seconds=1) == EX_DATAERR
    assert "had not been loaded in time" in pod.word["message"]


@pytest.mark.parametrize("rows", [b"", b"{}\n", b'{"body": 1}\n' * 1001])
def test_rows_that_are_none_are_told_before_anything_is_made(pod: Pod, rows: bytes) -> None:
    (pod.source / "rows.jsonl").write_bytes(rows)
    assert pod.build() == EX_DATAERR
    assert pod.word["reason"] == "InvalidSamples"
    assert "package.samples.file 'rows.jsonl'" in pod.word["message"]


def refused(pod: Pod) -> str:
    assert pod.store() == EX_DATAERR
    assert pod.word["reason"] == "SamplesFailed"
    with pytest.raises(FileNotFoundError):
        pod.packager.s3.read(MODEL_KEY)
    return str(pod.word["message"])


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (b"", "there are 0 to 3 rows"),
        (b'{"answer": 1}\n' * 4, "there are 4 to 3 rows"),
        (b'{"answer": NaN}\n' * 3, "not JSON compliant"),
        (b'{"answer": ' + b"[" * 900 + b"]" * 900 + b"}\n" + b'{"answer": 1}\n' * 2, "too deeply"),
        (b"x" * (handed.MAX_ANSWERS_BYTES + 1), "more than"),
        (b"[1]\n" * 3, "no object"),
    ],
)
def test_answers_are_an_enemys(pod: Pod, answers: bytes, why: str) -> None:
    pod.build()
    (handed.ANSWERS / "answers.jsonl").write_bytes(answers)
    assert why in refused(pod)


def test_a_link_in_place_of_the_answers_is_not_followed_to_a_key(pod: Pod, tmp_path: Path) -> None:
    key = tmp_path / "private.pem"
    key.write_bytes(b'{"answer": "a secret"}\n' * 3)
    pod.build()
    (handed.ANSWERS / "answers.jsonl").symlink_to(key)
    assert "leads out of the folder" in refused(pod)


def test_a_pipe_in_place_of_the_answers_is_not_waited_for(pod: Pod) -> None:
    pod.build()
    os.mkfifo(handed.ANSWERS / "answers.jsonl")
    assert "no regular file" in refused(pod)


@given(st.binary(max_size=80))
def test_any_answers_are_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "answers.jsonl").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handed, "ANSWERS", folder)
        try:
            entry = handed.answered([Sample(b"1")], 0.1)
        except PackageError:
            return
    path = folder / "a.mar"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(stored.ENTRY, entry)
    with stored.opened(path) as (_, rows):
        assert len(list(rows)) == 1
