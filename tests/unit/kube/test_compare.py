"""Comparing what is with what is desired: quiet after an apply, loud after any real change."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.api.fields.quantity import parse_quantity
from slipway.kube.writes.compare import contains, manifest_hash, prune, with_data, with_hash

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=4))
KEYS = st.sampled_from(["image", "replicas", "limits", "spec", "value", "x"])


def named_lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists of objects that are told apart by a name, as containers are."""
    return st.dictionaries(st.sampled_from("abc"), st.dictionaries(KEYS, items, max_size=2)).map(
        lambda by_name: [{"name": name, **fields} for name, fields in by_name.items()]
    )


JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, max_size=3), st.lists(SCALARS, max_size=3), named_lists(inner)
    ),
    max_leaves=12,
)


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)


def serve(value: Any, extra: Any) -> Any:
    """Do to an applied value what a server does: drop nulls, add defaults and others' items."""
    if isinstance(value, dict):
        kept = {key: serve(item, extra) for key, item in value.items() if not is_empty(item)}
        return {**kept, "defaulted": extra}
    if isinstance(value, list):
        items = [serve(item, extra) for item in value]
        named = bool(items) and all(isinstance(item, dict) and "name" in item for item in items)
        return [*items, {"name": "injected"}] if named else items
    return value


@given(JSON, JSON)
def test_what_was_applied_is_contained_in_what_the_server_makes_of_it(
    desired: Any, extra: Any
) -> None:
    assert contains(serve(desired, extra), desired)


@given(st.dictionaries(KEYS, JSON, min_size=1, max_size=3), st.data())
def test_a_field_that_others_changed_is_noticed(
    desired: dict[str, Any], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(desired)))
    live = {**desired, key: "something else entirely"}
    assert contains(live, desired) == is_empty(desired[key])


@given(st.dictionaries(KEYS, JSON, min_size=1, max_size=3))
def test_pruned_values_are_equal_whether_empty_parts_were_written_or_not(
    value: dict[str, Any],
) -> None:
    assert prune({**value, "empty": {}, "null": None, "none": []}) == prune(value)


@pytest.mark.parametrize(
    ("live", "desired"),
    [("1", "1000m"), (1, "1"), ("1Gi", "1024Mi"), ("0.5", "500m"), ("1e3", "1k"), (2, 2)],
)
def test_quantities_are_compared_as_numbers(live: Any, desired: Any) -> None:
    assert contains({"limits": {"cpu": live}}, {"limits": {"cpu": desired}})
    assert parse_quantity(live) == parse_quantity(desired)


@pytest.mark.parametrize(("live", "desired"), [("1", "1001m"), ("1G", "1Gi"), ("one", "1")])
def test_different_quantities_are_different(live: Any, desired: Any) -> None:
    assert not contains({"requests": {"cpu": live}}, {"requests": {"cpu": desired}})


def test_only_resources_are_quantities() -> None:
    assert not contains(
        {"env": [{"name": "A", "value": "1000m"}]}, {"env": [{"name": "A", "value": "1"}]}
    )


@pytest.mark.parametrize("text", ["", "m", "1.2.3", "1KB", "Gi", "--1", "1 Gi", "abc"])
def test_what_is_no_quantity_has_no_number(text: str) -> None:
    assert parse_quantity(text) is None


def test_true_is_not_one() -> None:
    assert not contains({"replicas": True}, {"replicas": 1})


def test_lists_without_names_must_be_the_same_length() -> None:
    assert not contains({"args": ["a", "b"]}, {"args": ["a"]})
    assert contains({"args": ["a"]}, {"args": ["a"]})


def test_the_hash_is_stable_and_changes_with_a_removed_field() -> None:
    manifest = {"metadata": {"name": "a"}, "spec": {"x": 1, "y": 2}}
    marked = with_hash(manifest)
    assert with_hash(copy.deepcopy(manifest)) == marked
    del manifest["spec"]["y"]  # type: ignore[attr-defined]
    assert with_hash(manifest)["metadata"] != marked["metadata"]
    assert len(manifest_hash(manifest)) == 32


def test_a_secrets_plain_values_are_compared_in_base64() -> None:
    secret = {"kind": "Secret", "stringData": {"key": "value"}, "data": {"old": "b2xk"}}
    assert with_data(secret) == {"kind": "Secret", "data": {"key": "dmFsdWU=", "old": "b2xk"}}
