"""Numbers whose fields have no type in the schema: what the API server lets by is read or told."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway.api.serving.analysis import AnalysisMetric
from slipway.api.serving.smoke import SmokeTest

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, "1e999", "0.5", "nan"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(value=ANY)
def test_what_is_no_number_is_an_error_of_the_object_and_of_nothing_else(value: Any) -> None:
    for read in (ratio, quantile, tolerance):
        try:
            number = read(value)
        except ValidationError:
            continue
        assert 0 <= number < math.inf


def ratio(value: Any) -> float:
    metric = {"name": "a", "successRate": {}, "maxRatioToStable": value}
    return float(AnalysisMetric.model_validate(metric).max_ratio_to_stable or 0)


def quantile(value: Any) -> float:
    latency = AnalysisMetric.model_validate({"name": "a", "latency": {"quantile": value}}).latency
    return float(latency.quantile if latency else 0)


def tolerance(value: Any) -> float:
    return float(SmokeTest.model_validate({"request": 1, "tolerance": value}).tolerance or 0)


@pytest.mark.parametrize("value", [0, 2, 0.001, "0.001", "1e-3"])
def test_a_tolerance_is_a_number_with_or_without_quotes(value: Any) -> None:
    assert tolerance(value) == float(value)
