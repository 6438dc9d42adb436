"""Gates that compare a package with what serves: by the figures that were recorded of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.training.package import Package
from slipway.training.children.gates import questions
from slipway_pods.package import package
from slipway_pods.package.gates.recorded import (
    EVALUATE,
    NOTHING_SERVED,
    PACKAGE,
    REPORT,
    Basis,
    RecordedFigures,
)
from slipway_pods.package.gates.served import look
from slipway_pods.package.gates.verdict import Questions, Row, judge
from slipway_pods.store import manifest
from slipway_pods.store.store import StoreUnavailableError
from tests.unit.runtime.package.test_package import LINEAGE_KEY, SPEC, Packager

SHA = "ab" * 32
ROWS, OTHER = "cd" * 32, "ef" * 32
BASIS = Basis(ROWS, "01" * 32, "accuracy")
OLD_KEY = "models/ns/net/uid/2/lineage.json"
RATIOS = st.decimals(0, 3, places=2).map(str)
FIGURES = st.floats(0, 1e6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def asked(
    gate: Mapping[str, Any], value: str, compared: dict[str, str] | None, metric: str = "loss"
) -> dict[str, Any]:
    """Return what the operator asks of a package with one gate."""
    gates = [{"metric": metric, **gate}]
    whole = {**SPEC, "gates": gates, "comparedWith": {"name": "web"}}
    found = questions(Package.model_validate(whole), {metric: value}, compared)
    assert found is not None
    return found


def row(gate: Mapping[str, Any], value: float, recorded: RecordedFigures) -> Row:
    told = json.loads(json.dumps(asked(gate, repr(value), {"sha256": SHA})))
    (found,) = judge(Questions.read(told), {}, {}, recorded)
    return found


def of(value: float) -> RecordedFigures:
    return RecordedFigures(figures={(REPORT, "loss"): value})


@given(RATIOS, FIGURES, FIGURES)
def test_a_ratio_is_kept_exactly_as_its_decimals_say(
    ratio: str, value: float, served: float
) -> None:
    most = Fraction(ratio) * Fraction(repr(served))
    for field, holds in (
        ("maxRatioToServed", Fraction(repr(value)) <= most),
        ("minRatioToServed", Fraction(repr(value)) >= most),
    ):
        found = row({field: ratio}, value, of(served))
        assert (found.verdict, found.missed) == (
            ("Successful", ()) if holds else ("Failed", (field,))
        )


@given(FIGURES)
def test_a_model_that_is_as_good_as_what_serves_keeps_every_ratio_of_one(value: float) -> None:
    both = {"maxRatioToServed": "1", "minRatioToServed": "1.0"}
    assert row(both, value, of(value)).verdict == "Successful"


@pytest.mark.parametrize(("value", "missed"), [(115.0, ()), (115.1, ("maxRatioToServed",))])
def test_the_rounding_of_binary_numbers_misses_no_gate(
    value: float, missed: tuple[str, ...]
) -> None:
    assert 1.15 * 100 < 115
    assert row({"maxRatioToServed": "1.15"}, value, of(100.0)).missed == missed


def test_where_nothing_is_served_ratios_hold_and_conditions_are_kept() -> None:
    gate = {"maxRatioToServed": "1", "successCondition": "result < 2"}
    told = Questions.read(asked(gate, "1", None))
    assert told.served is None
    (good,) = judge(told, {})
    assert good.told == {
        "verdict": "Successful",
        "value": "1",
        "source": "Report",
        "notCompared": NOTHING_SERVED,
    }
    (bad,) = judge(Questions.read(asked(gate, "3", None)), {})
    assert (bad.verdict, bad.missed) == ("Failed", ("successCondition",))


def test_each_field_that_does_not_hold_is_told() -> None:
    gate = {"maxRatioToServed": "1.1", "minRatioToServed": "0.5", "successCondition": "result < 2"}
    found = row(gate, 3.0, of(2.0))
    assert found.told == {
        "verdict": "Failed",
        "value": "3",
        "source": "Report",
        "servedValue": "2",
        "missed": ["successCondition", "maxRatioToServed"],
    }


@pytest.mark.parametrize(
    ("recorded", "why"),
    [
        (RecordedFigures("NoRecord"), "NoRecord"),
        (RecordedFigures(), "NotRecorded"),
        (RecordedFigures(figures={(EVALUATE, "loss"): 1.0}), "NotRecorded"),
        (of(-1.0), "Negative"),
    ],
)
def test_what_cannot_be_compared_misses_its_ratio_and_says_why(
    recorded: RecordedFigures, why: str
) -> None:
    found = row({"maxRatioToServed": "1.5"}, 0.0, recorded)
    assert (found.verdict, found.told["notCompared"]) == ("Failed", why)


@pytest.mark.parametrize(
    ("metric", "source", "other", "why"),
    [
        ("accuracy", EVALUATE, replace(BASIS, rows=OTHER), "OtherRows"),
        ("latencySeconds", PACKAGE, replace(BASIS, rows=OTHER), "OtherRows"),
        ("accuracy", EVALUATE, Basis(), "OtherRows"),
        ("accuracy", EVALUATE, replace(BASIS, evaluation=OTHER), "OtherEvaluation"),
        ("accuracy", EVALUATE, replace(BASIS, function="score"), "OtherEvaluation"),
        ("accuracy", EVALUATE, Basis(ROWS), "OtherEvaluation"),
        ("latencySeconds", PACKAGE, Basis(ROWS), None),
        ("accuracy", EVALUATE, BASIS, None),
        ("sizeBytes", PACKAGE, Basis(), None),
    ],
)
def test_figures_of_answers_are_compared_on_the_same_rows_and_by_the_same_evaluation_alone(
    metric: str, source: str, other: Basis, why: str | None
) -> None:
    told = Questions.read(asked({"minRatioToServed": "1"}, "9", {"sha256": SHA}, metric))
    own, evaluated = ({metric: 2.0}, {}) if source == PACKAGE else ({}, {metric: 2.0})
    recorded = RecordedFigures(figures={(source, metric): 2.0}, basis=other)
    (found,) = judge(told, own, evaluated, recorded, BASIS)
    assert found.told.get("notCompared") == why
    assert (found.verdict == "Successful") == (why is None)


def record(**changed: Any) -> dict[str, Any]:
    whole = {
        "trainingJob": {"metrics": {"loss": "0.5", "odd": "nan", "long": "x"}},
        "package": {"sha256": SHA, "sizeBytes": 1000},
        "figures": {
            "accuracy": {"value": 0.9, "source": EVALUATE},
            "sizeBytes": {"value": 990, "source": PACKAGE},
            "bad": {"value": True, "source": EVALUATE},
            "worse": 1,
            "forged": {"value": 1, "source": REPORT},
        },
        **BASIS.told,
    }
    return {**whole, **changed}


def test_a_record_has_the_figures_of_all_sources() -> None:
    found = RecordedFigures.read(json.dumps(record()).encode(), SHA)
    assert found == RecordedFigures(
        "",
        {(REPORT, "loss"): 0.5, (EVALUATE, "accuracy"): 0.9, (PACKAGE, "sizeBytes"): 990.0},
        BASIS,
    )


@pytest.mark.parametrize(
    ("program", "basis"),
    [
        ({}, Basis(ROWS)),
        ({"sha256": OTHER}, Basis(ROWS, OTHER)),
        ({"sha256": [OTHER], "function": 1}, Basis(ROWS)),
    ],
)
def test_what_a_record_does_not_say_of_the_evaluation_is_not_known(
    program: dict[str, Any], basis: Basis
) -> None:
    found = RecordedFigures.read(json.dumps(record(evaluation=program)).encode(), SHA)
    assert found.basis == basis


def test_the_record_of_an_earlier_release_has_reports_and_the_size() -> None:
    old = {name: record()[name] for name in ("trainingJob", "package")}
    found = RecordedFigures.read(json.dumps(old).encode(), SHA)
    assert found.figures == {(REPORT, "loss"): 0.5, (PACKAGE, "sizeBytes"): 1000.0}


def test_the_record_of_another_archive_is_none() -> None:
    found = RecordedFigures.read(json.dumps(record()).encode(), "ef" * 32)
    assert found == RecordedFigures("NoRecord")


@given(JSON, st.sampled_from(["trainingJob", "package", "figures", "samples", "evaluation", ""]))
def test_any_record_is_read_or_refused(value: Any, at: str) -> None:
    told = record(**{at: value}) if at else value
    found = RecordedFigures.read(json.dumps(told).encode(), SHA)
    assert found.problem in ("", "NoRecord")
    assert all(isinstance(one, float) for one in found.figures.values())


@given(st.binary(max_size=60))
def test_any_bytes_are_no_record(data: bytes) -> None:
    assert RecordedFigures.read(data, SHA) == RecordedFigures("NoRecord")


def test_a_record_of_millions_of_values_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.dumps({**record(), "output": {"files": [[]] * 30}}).encode()
    assert RecordedFigures.read(told, SHA).figures
    monkeypatch.setattr(manifest, "MAX_VALUES", 30)
    assert RecordedFigures.read(told, SHA) == RecordedFigures("NoRecord")


def judged(packager: Packager, compared: dict[str, str] | None, value: str = "0.5") -> int:
    """Package with a gate that compares the loss with what serves."""
    told = asked({"maxRatioToServed": "1.02"}, value, compared)
    lineage = {"namespace": "ns", "name": "net", "uid": "uid", "metrics": {"loss": value}}
    env = {**packager.env(SPEC), "SLIPWAY_LINEAGE": json.dumps(lineage)}
    return package.main({**env, "SLIPWAY_GATES": json.dumps(told)})


def test_a_package_is_compared_with_the_record_that_an_earlier_one_left(
    packager: Packager,
) -> None:
    assert judged(packager, None) == 0
    first = packager.word["package"]
    assert first["gates"][0]["notCompared"] == NOTHING_SERVED
    served = {"sha256": first["sha256"], "lineageUri": first["lineageUri"]}
    served["lineageUri"] = f"s3://slipway/{OLD_KEY}"
    package.put_beside(packager.s3.read(LINEAGE_KEY), served["lineageUri"])
    for value, reason in (("0.51", "Packaged"), ("0.52", "Rejected")):
        assert judged(packager, served, value) == 0
        assert packager.word["reason"] == reason
        assert packager.word["package"]["gates"][0]["servedValue"] == "0.5"
    told = json.loads(packager.s3.read(LINEAGE_KEY))
    assert told["comparedWith"] == {"sha256": first["sha256"]}
    assert told["figures"]["sizeBytes"]["source"] == PACKAGE


@pytest.mark.parametrize(
    "served", [{"sha256": SHA}, {"sha256": SHA, "lineageUri": f"s3://slipway/{OLD_KEY}"}]
)
def test_without_a_record_that_can_be_read_the_gate_is_missed(
    packager: Packager, served: dict[str, str]
) -> None:
    assert judged(packager, served) == 0
    assert packager.word["reason"] == "Rejected"
    assert packager.word["package"]["gates"][0]["notCompared"] == "NoRecord"


def test_a_store_that_is_away_is_no_missed_gate(packager: Packager) -> None:
    compared = {"sha256": SHA, "lineageUri": f"s3://slipway/{OLD_KEY}"}
    told = Questions.read(asked({"maxRatioToServed": "1"}, "1", compared))
    packager.s3.stop()
    with pytest.raises(StoreUnavailableError):
        look(told, package.patiently)


def test_the_last_word_has_room_for_all_gates_at_their_longest(packager: Packager) -> None:
    ratios = {"maxRatioToServed": "0", "minRatioToServed": "9", "successCondition": "result > 9"}
    gates = [{"metric": f"{at:064d}", **ratios} for at in range(16)]
    whole = {**SPEC, "gates": gates, "comparedWith": {"name": "web"}}
    reported = {gate["metric"]: "-1.23456e-300" for gate in gates}
    told = questions(Package.model_validate(whole), reported, {"sha256": SHA})
    assert package.main({**packager.env(SPEC), "SLIPWAY_GATES": json.dumps(told)}) == 0
    assert len(packager.word["package"]["gates"]) == 16
    assert len(json.dumps(packager.word)) < 4096 - 500
