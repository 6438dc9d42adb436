"""Numbers whose fields have no type in the schema: what the API server lets by is read or told."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from slipway.api.serving.analysis import AnalysisMetric, Latency
from slipway.api.serving.smoke import SmokeTest
from slipway.api.training.samples import Samples

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


def sample_tolerance(value: Any) -> float:
    return float(Samples.model_validate({"file": "rows.jsonl", "tolerance": value}).tolerance)


def pattern(model: type[BaseModel], field: str) -> str:
    """Return what the API server lets by of a field's text."""
    found = model.model_json_schema(by_alias=True)["properties"][field]
    both = [found, *found.get("anyOf", ())]
    return next(str(one["pattern"]) for one in both if "pattern" in one)


@pytest.mark.parametrize(
    ("model", "field", "longest", "read"),
    [
        (Samples, "tolerance", 16, sample_tolerance),
        (SmokeTest, "tolerance", 16, tolerance),
        (AnalysisMetric, "maxRatioToStable", 16, ratio),
        (Latency, "quantile", 8, quantile),
    ],
)
@given(data=st.data())
def test_a_text_that_the_schema_lets_by_is_a_number_that_the_field_takes(
    model: type[BaseModel],
    field: str,
    longest: int,
    read: Callable[[Any], float],
    data: st.DataObject,
) -> None:
    texts = st.from_regex(pattern(model, field), fullmatch=True, alphabet="0123456789.eE-")
    text = data.draw(texts.filter(lambda one: len(one) <= longest))
    assert read(text) == float(text)


@pytest.mark.parametrize("text", ["9e-0", "1e-00", "2", "1.5"])
def test_a_tolerance_of_samples_above_1_is_refused_where_it_is_written(text: str) -> None:
    assert not re.fullmatch(pattern(Samples, "tolerance"), text)


@pytest.mark.parametrize("text", ["0", "1", "1.0", "0.001", "1e-3", "9.9e-1", "5E-04"])
def test_a_tolerance_of_samples_may_be_written_in_the_usual_ways(text: str) -> None:
    assert re.fullmatch(pattern(Samples, "tolerance"), text)


@pytest.mark.parametrize("value", [0, 2, 0.001, "0.001", "1e-3"])
def test_a_tolerance_is_a_number_with_or_without_quotes(value: Any) -> None:
    assert tolerance(value) == float(value)
