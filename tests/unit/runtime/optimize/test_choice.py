"""Which form of a model is packaged, by the figures that were measured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.package.optimize import choice, figures
from slipway_pods.package.optimize.choice import BETTER, Wanted, judge
from slipway_pods.package.optimize.figures import CANDIDATES, FLOAT, Failed, Figures, Measured

PLAIN = Figures(FLOAT, 1000, 2.0, 0.0, 1.0)


def wanted(objective: str = "Latency", tolerance: float = 0.01) -> Wanted:
    return Wanted(objective, CANDIDATES, tolerance, 60)


def judged(*measured: Measured, **asked: Any) -> dict[str, tuple[str, str]]:
    """Return verdict and message of each form."""
    rows = judge(wanted(**asked), {each.name: each for each in (PLAIN, *measured)})
    return {row.name: (row.verdict, row.message) for row in rows}


ONNX = Figures("Onnx", 1100, 1.0, 1e-7, 1.0)
SMALL = Figures("Int8Static", 300, 1.5, 0.03, 0.995)


def test_the_fastest_is_packaged_for_latency_and_the_smallest_for_size() -> None:
    fast = judged(ONNX, SMALL)
    assert fast["Onnx"][0] == "Packaged"
    assert fast["Int8Static"] == ("Passed", "Another candidate is better.")
    assert fast[FLOAT] == ("Passed", "It is the model as it was exported.")
    small = judged(ONNX, SMALL, objective="Size")
    assert small["Int8Static"][0] == "Packaged"
    assert small["Onnx"] == ("Refused", "It is no smaller by 5%: 1100 bytes to 1000.")


def test_of_two_that_are_as_fast_the_smaller_is_packaged() -> None:
    other = Figures("Int8Dynamic", 300, 1.0, 0.0, 1.0)
    assert judged(ONNX, other)["Int8Dynamic"][0] == "Packaged"


def test_the_float_model_is_packaged_where_no_candidate_is_better() -> None:
    slow = Figures("Int8Dynamic", 300, 2.5, 0.0, 1.0)
    found = judged(slow)
    assert found[FLOAT] == ("Packaged", "No candidate is better within the tolerance.")
    assert found["Int8Dynamic"] == ("Refused", "It is no faster by 5%: 2.5 ms to 2.")


def test_a_gain_that_the_clock_may_have_made_is_none() -> None:
    almost = Figures("Onnx", 1000, 2.0 * BETTER + 0.01, 0.0, 1.0)
    assert judged(almost)[FLOAT][0] == "Packaged"


def test_answers_of_another_class_are_refused_with_their_share() -> None:
    far = Figures("Int8Static", 300, 1.0, 0.2, 0.98)
    assert judged(far)["Int8Static"] == (
        "Refused",
        "The best class agrees in 0.98 of the answers; 0.99 is the least.",
    )
    assert judged(far, tolerance=0.02)["Int8Static"][0] == "Packaged"


def test_numbers_are_judged_by_their_distance_where_there_are_no_classes() -> None:
    far = Figures("Int8Static", 300, 1.0, 0.02)
    assert judged(far)["Int8Static"] == (
        "Refused",
        "An answer differs by 0.02, and 0.01 is the most.",
    )
    assert judged(far, tolerance=0.05)["Int8Static"][0] == "Packaged"


def test_what_could_not_be_made_is_told_with_its_reason() -> None:
    failed = Failed("Int8Dynamic", "there is no operator ConvInteger")
    assert judged(failed, ONNX)["Int8Dynamic"] == (
        "Failed",
        "It has no figures: there is no operator ConvInteger",
    )


def test_nothing_is_better_than_a_float_model_without_figures() -> None:
    rows = judge(wanted(), {FLOAT: Failed(FLOAT, "its handler failed"), "Onnx": ONNX})
    assert [row.verdict for row in rows] == ["Packaged", "Failed"]


def test_a_row_has_its_figures_as_decimal_text() -> None:
    rows = judge(wanted(), {FLOAT: PLAIN, "Onnx": ONNX})
    assert rows[1].told == {
        "candidate": "Onnx",
        "verdict": "Packaged",
        "sizeBytes": 1100,
        "latencyMilliseconds": "1",
        "difference": "1e-07",
        "agreement": "1",
        "message": "It is the best one within the tolerance.",
    }


MEASURED = {
    name: st.one_of(
        st.builds(Failed, st.just(name), st.text(min_size=1, max_size=9)),
        st.builds(
            Figures,
            st.just(name),
            st.integers(1, 10**12),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.none() | st.floats(0, 1),
        ),
    )
    for name in (FLOAT, *CANDIDATES)
}


@given(
    st.fixed_dictionaries({FLOAT: MEASURED[FLOAT]}, optional={n: MEASURED[n] for n in CANDIDATES}),
    st.sampled_from(["Latency", "Size"]),
    st.floats(0, 1),
)
def test_one_form_is_packaged_and_it_is_better_and_within_the_tolerance(
    measured: dict[str, Measured], objective: str, tolerance: float
) -> None:
    rows = judge(wanted(objective, tolerance), measured)
    assert [row.name for row in rows] == sorted(measured, key=(FLOAT, *measured).index)
    best = choice.chosen(rows)
    assert [row.verdict for row in rows].count("Packaged") == 1
    if best.name == FLOAT:
        return
    plain, taken = measured[FLOAT], measured[best.name]
    assert isinstance(plain, Figures)
    assert isinstance(taken, Figures)
    far = taken.difference if taken.agreement is None else 1 - taken.agreement
    assert far <= tolerance + 1e-9
    if objective == "Latency":
        assert taken.milliseconds <= BETTER * plain.milliseconds
    else:
        assert taken.size_bytes <= BETTER * plain.size_bytes


@given(st.lists(st.one_of(*MEASURED.values()), max_size=8))
def test_figures_are_read_as_they_were_written(measured: list[Measured]) -> None:
    found = figures.read(b"".join(map(figures.line, measured)), CANDIDATES)
    last = {each.name: each for each in measured}
    for name, each in found.items():
        if name in last and isinstance(last[name], Figures):
            assert each == last[name]
        else:
            assert isinstance(each, Failed)


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=40)).map(b"\n".join))
def test_any_figures_are_taken_or_left_out(data: bytes) -> None:
    assert set(figures.read(data, CANDIDATES)) == {FLOAT, *CANDIDATES}


@pytest.mark.parametrize(
    "line",
    [
        b'{"name": "Onnx", "sizeBytes": 1, "milliseconds": NaN, "difference": 0}',
        b'{"name": "Onnx", "sizeBytes": -1, "milliseconds": 1, "difference": 0}',
        b'{"name": "Onnx", "sizeBytes": 1, "milliseconds": 1e400, "difference": 0}',
        b'{"name": "Onnx", "sizeBytes": 1, "milliseconds": 1}',
        b'{"name": "Onnx", "sizeBytes": 1, "milliseconds": 1, "difference": 0, "agreement": 2}',
        b'{"name": "Other", "sizeBytes": 1, "milliseconds": 1, "difference": 0}',
        b"[" * 2000,
    ],
)
def test_figures_that_are_none_take_their_candidate_away(line: bytes) -> None:
    assert isinstance(figures.read(line, CANDIDATES)["Onnx"], Failed)


def test_figures_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        figures.read(b"x" * (figures.MAX_BYTES + 1), CANDIDATES)


def test_a_reason_is_one_line_that_can_be_shown() -> None:
    assert figures.plain("a\x1b[31m\n\tb") == "a [31m b"
    assert len(figures.plain("x" * 1000)) == figures.MAX_WHY


SPEC = {"objective": "Size", "candidates": ["Onnx"], "tolerance": "0.5", "timeoutSeconds": 9}


def test_what_is_wanted_is_read_from_the_spec() -> None:
    assert Wanted.of(SPEC) == Wanted("Size", ("Onnx",), 0.5, 9.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"objective": "Fame"},
        {"candidates": []},
        {"candidates": ["Onnx"] * (len(CANDIDATES) + 1)},
        {"candidates": [["Onnx"]]},
        {"tolerance": "much"},
        {"tolerance": 2},
        {"tolerance": None},
        {"timeoutSeconds": -1},
    ],
)
def test_what_no_spec_says_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Wanted.of({**SPEC, **changed})
