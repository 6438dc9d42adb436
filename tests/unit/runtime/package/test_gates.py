"""Whether an archive is good enough: the verdict, and what of a rejected one is stored."""

import hashlib
import json
import math
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.fields.number import comparisons, holds
from slipway.api.training.package import Package
from slipway.training.children.gates import questions
from slipway_pods.package import package
from slipway_pods.package.gates.verdict import Questions, figure, is_rejected, judge, own
from slipway_pods.serve import rejection
from slipway_pods.trust import packaged
from tests.unit.runtime.package.test_package import LINEAGE_KEY, MODEL_KEY, SPEC, Packager
from tests.unit.runtime.trust import signers

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def asked(reported: dict[str, str], **conditions: str) -> dict[str, Any]:
    """Return what the operator asks of a package with these gates."""
    gates = [{"metric": name, "successCondition": text} for name, text in conditions.items()]
    found = questions(Package.model_validate({**SPEC, "gates": gates}), reported)
    assert found is not None
    return found


@given(
    sign=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    number=st.decimals(-1000, 1000, places=2).map(str),
    value=NUMBERS,
)
def test_a_pod_judges_a_condition_as_the_operator_reads_it(
    sign: str, number: str, value: float
) -> None:
    condition = f"result {sign} {number} && result<=2000"
    assert len(comparisons(condition)) == 2
    told = json.loads(json.dumps(asked({"loss": repr(value)}, loss=condition)))
    (row,) = judge(Questions.read(told), {})
    assert (row.verdict == "Successful") == holds(condition, value)
    assert is_rejected([row]) != holds(condition, value)


@given(st.sampled_from(["nan", "inf", "-inf"]), st.sampled_from(["<", ">", "!="]))
def test_what_is_no_finite_number_misses_every_gate(value: str, sign: str) -> None:
    (row,) = judge(Questions.read(asked({"loss": value}, loss=f"result {sign} 1")), {})
    assert row.verdict == "Failed"


def test_a_figure_that_nobody_knows_misses_its_gate() -> None:
    (row,) = judge(Questions.read(asked({"loss": "1"}, accuracy="result >= 0")), {})
    assert row.told == {"verdict": "Failed", "value": None}


def test_the_size_is_the_archives_own_whatever_the_script_reports() -> None:
    questions = Questions.read(asked({"sizeBytes": "1"}, sizeBytes="result < 10"))
    (row,) = judge(questions, own(12, None), {"sizeBytes": 2})
    assert row.told == {
        "verdict": "Failed",
        "value": "12",
        "source": "Package",
        "missed": ["successCondition"],
    }


@pytest.mark.parametrize(
    ("value", "condition", "text"),
    [
        ("0.89999999", "result >= 0.9", "0.89999999"),
        ("0.9", "result >= 0.9", "0.9"),
        ("0.8712345678", "result >= 0.9", "0.871235"),
        ("1.00000000000000022", "result <= 1", "1.0000000000000002"),
        ("-0.0", "result >= 0", "0"),
    ],
)
def test_a_figures_text_does_not_pass_for_what_it_misses(
    value: str, condition: str, text: str
) -> None:
    (row,) = judge(Questions.read(asked({"loss": value}, loss=condition)), {})
    assert row.told["value"] == text


@given(NUMBERS, st.lists(NUMBERS, max_size=3))
def test_a_figures_text_is_on_the_same_side_of_each_bound(
    value: float, bounds: list[float]
) -> None:
    told = float(figure(value, *bounds))
    assert [(told > each, told < each) for each in bounds] == [
        (value > each, value < each) for each in bounds
    ]


@given(NUMBERS)
def test_a_figures_text_is_short_and_says_the_number(value: float) -> None:
    assert len(figure(value)) <= 32
    assert math.isclose(float(figure(value)), value, rel_tol=1e-5, abs_tol=1e-5)


def judged(packager: Packager, accuracy: str, **more: Any) -> int:
    gates = asked({"accuracy": accuracy}, accuracy="result >= 0.9", sizeBytes="result < 1000000")
    return package.main({**packager.env({**SPEC, **more}), "SLIPWAY_GATES": json.dumps(gates)})


def test_an_archive_that_passes_is_as_it_would_be_without_gates(packager: Packager) -> None:
    packager.run()
    plain = packager.s3.read(MODEL_KEY)
    assert judged(packager, "0.93") == 0
    assert packager.s3.read(MODEL_KEY) == plain
    assert packager.word["reason"] == "Packaged"
    assert [row["verdict"] for row in packager.word["package"]["gates"]] == ["Successful"] * 2


def test_an_archive_that_misses_a_gate_is_stored_with_a_mark_and_its_record_says_why(
    packager: Packager,
) -> None:
    assert judged(packager, "0.87") == 0
    content = packager.s3.read(MODEL_KEY)
    made = packager.word["package"]
    assert packager.word["reason"] == "Rejected"
    assert (made["sha256"], made["sizeBytes"]) == (
        hashlib.sha256(content).hexdigest(),
        len(content),
    )
    missed = {"source": "Report", "missed": ["successCondition"]}
    assert made["gates"][0] == {"verdict": "Failed", "value": "0.87", **missed}
    bundle = zipfile.ZipFile(BytesIO(content))
    assert rejection.MARK in bundle.namelist()
    assert bundle.testzip() is None
    record = json.loads(packager.s3.read(LINEAGE_KEY))
    assert record["gates"][0] == {"metric": "accuracy", **made["gates"][0]}


def test_a_rejected_archive_is_the_same_bytes_each_time(packager: Packager) -> None:
    judged(packager, "0.87")
    first = packager.s3.read(MODEL_KEY)
    judged(packager, "0.86")
    assert packager.s3.read(MODEL_KEY) == first


def test_an_archive_is_signed_only_where_it_passes(
    packager: Packager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sign = tmp_path / "private.pem", {"keySecretRef": {"name": "signer", "key": "private"}}
    path.write_bytes(signers.private_pem(signers.private()))
    monkeypatch.setattr(packaged, "PRIVATE_KEY", path)
    for accuracy, signed in (("0.87", False), ("0.93", True)):
        assert judged(packager, accuracy, sign=sign) == 0
        stored = packager.s3.keys()
        assert (f"{MODEL_KEY}.sig" in stored) == signed
