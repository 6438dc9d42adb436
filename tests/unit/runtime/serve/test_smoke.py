"""When an answer counts as equal to the stored one."""

from typing import Any

import pytest

from slipway_pods.serve.smoke import compare


@pytest.mark.parametrize(
    ("found", "expected", "tolerance"),
    [
        (1.0, 1, 0.0),
        (1.0009, 1.0, 0.001),
        (1000.9, 1000.0, 0.001),
        ([[1, 2.05], "cat"], [[1, 2.0], "cat"], 0.1),
        ({"label": "cat", "score": 0.9}, {"score": 0.91, "label": "cat"}, 0.02),
        ("plain text", "plain text", 0.0),
        (None, None, 0.0),
        ([], [], 0.0),
        (10**400, 10**400, 0.1),
        (float("inf"), float("inf"), 0.1),
    ],
)
def test_answers_within_the_tolerance_are_equal(
    found: Any, expected: Any, tolerance: float
) -> None:
    assert compare(found, expected, tolerance) == ""


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "told"),
    [
        (1.002, 1.0, 0.001, "it is 1.002 instead of 1.0 (± 0.001)"),
        (0.002, 0.0, 0.001, "it is 0.002 instead of 0.0 (± 0.001)"),
        (True, 1, 0.0, "it is true instead of 1"),
        (float("nan"), 1.0, 5.0, "it is NaN instead of 1.0 (± 5)"),
        ([1, 2], [1], 1.0, "it is [1, 2] instead of [1]"),
        ([[1], [4]], [[1], [2]], 0.5, "at [1][0] it is 4 instead of 2 (± 0.5)"),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, 0.0, 'at .a.b it is "x" instead of "y"'),
        ({"a": 1}, {"b": 1}, 0.0, 'it is {"a": 1} instead of {"b": 1}'),
        ("1.0", 1.0, 0.0, 'it is "1.0" instead of 1.0'),
        (10**400, 1.5, 0.1, f"it is {str(10**400)[:200]}... instead of 1.5 (± 0.1)"),
    ],
)
def test_the_first_difference_is_told(
    found: Any, expected: Any, tolerance: float, told: str
) -> None:
    assert compare(found, expected, tolerance) == told
