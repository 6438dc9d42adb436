"""What the last word tells of a package whose forms were measured: what the kubelet keeps."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.package.gates.verdict import Row
from slipway_pods.package.optimize import choice
from slipway_pods.package.optimize.choice import FAILED, PACKAGED
from slipway_pods.package.optimize.figures import CANDIDATES, FLOAT, MAX_WHY, Figures
from slipway_pods.package.optimize.packaged import fitting
from slipway_runtime.termination import MAX_MESSAGE_BYTES, encode_message

PLACE = f"s3://slipway-{'n' * 55}/models/{'n' * 63}/{'j' * 63}/{'u' * 36}/12"
FIELDS = ("successCondition", "maxRatioToServed", "minRatioToServed")
BOUND = -1.2345612341234123e-300
NEAR = math.nextafter(BOUND, -math.inf)
LONGEST_GATE = Row("loss", "Failed", NEAR, "Evaluate", BOUND, FIELDS, bounds=(BOUND,))


def described(gates: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is told of a package with names as long as they may be."""
    return {
        "uri": f"{PLACE}/{'m' * 63}-1.11.mar",
        "sha256": "a" * 64,
        "sizeBytes": 2**40,
        "modelName": "m" * 63,
        "modelVersion": "1.11",
        "lineageUri": f"{PLACE}/lineage.json",
        "hasProvenance": True,
        "samples": 1000,
        "optimization": rows,
        "gates": [LONGEST_GATE.told] * gates,
    }


def rows(why: str) -> list[dict[str, Any]]:
    figures = Figures(FLOAT, 2**50, 1.23456e-30, 1.23456e-30, 0.123456)
    failed = (choice.Row(name, FAILED, why, figures) for name in CANDIDATES)
    plain = choice.Row(FLOAT, PACKAGED, "No candidate is better.", figures)
    return [row.told for row in (plain, *failed)]


def kept(told: dict[str, Any]) -> Any:
    """Return what the kubelet keeps of a last word."""
    text = encode_message({"reason": "Rejected", "package": fitting(told)})
    return json.loads(text.encode()[:MAX_MESSAGE_BYTES])["package"]


def test_rows_that_fit_are_told_as_they_are() -> None:
    told = described(4, rows("It is no smaller by 5%: 618770 bytes to 643485."))
    assert kept(told) == told


def test_long_reasons_are_cut_and_all_figures_stay() -> None:
    told = described(2, rows("\u2717" * MAX_WHY))
    found = kept(told)
    assert found["gates"] == told["gates"]
    assert [row["verdict"] for row in found["optimization"]] == [
        PACKAGED,
        *[FAILED] * len(CANDIDATES),
    ]
    assert 0 < len(found["optimization"][1]["message"]) < MAX_WHY
    assert {**found["optimization"][1], "message": ""} == {**told["optimization"][1], "message": ""}


def test_the_rows_of_forms_go_rather_than_a_gate() -> None:
    told = described(16, rows("\u2717" * MAX_WHY))
    assert kept(told) == {name: told[name] for name in told if name != "optimization"}


def test_a_package_without_forms_is_told_as_it_is() -> None:
    told = {name: value for name, value in described(16, []).items() if name != "optimization"}
    assert fitting(told) == told


@given(st.integers(0, 16), st.text(max_size=MAX_WHY))
def test_whatever_a_library_says_the_kubelet_keeps_the_last_word(gates: int, why: str) -> None:
    assert len(kept(described(gates, rows(why)))["gates"]) == gates
