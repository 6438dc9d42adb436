"""What is read of objects whose users made them too large or too deep."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.kube.answers import bounds
from slipway.kube.answers.bounds import MOST_BYTES, is_readable, lightened, parsed
from slipway.manifests import UNREADABLE

Object = dict[str, Any]
LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
DEEP = ("[" * 9000 + "]" * 9000, '{"a":' * 9000 + "1" + "}" * 9000)
LARGE = (
    f"[{','.join(['{}'] * MOST_BYTES)}]",
    f'"{"x" * MOST_BYTES}"',
    '{"a\\"}":[[[[[[1]]]]],"]"]}',
)


def job(name: str, x: Any = 1) -> Object:
    """Return an object as the API server writes it."""
    meta = {"labels": {"spec": "[{"}, "name": name, "uid": name}
    head = {"apiVersion": "slipway.dev/v1alpha1", "kind": "TrainingJob", "metadata": meta}
    return {**head, "spec": {"nodes": 2, "x": x}, "status": {"phase": "Queued"}}


def wrapped(obj: Object) -> dict[str, Any]:
    """Return the three forms in which an object comes."""
    others = {"kind": "List", "metadata": {"continue": "x"}}
    items = [job("before"), obj, job("after")]
    return {
        "alone": obj,
        "event": {"type": "ADDED", "object": obj},
        "list": {**others, "items": items},
    }


FORMS = tuple(wrapped(job("job")))


def text_of(form: str, value: str) -> bytes:
    """Return a form as JSON, with a JSON text in the object's spec."""
    return json.dumps(wrapped(job("job", "HERE"))[form]).replace('"HERE"', value).encode()


def told(form: str, found: Any) -> Object:
    obj: Object = {
        "alone": found,
        "event": found.get("object"),
        "list": found.get("items", [0, 0])[1],
    }[form]
    return obj


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "value", [*DEEP, LARGE[0], LARGE[1]], ids=["lists", "maps", "many", "long"]
)
async def test_a_spec_that_is_too_much_is_left_out_and_all_else_stays(
    form: str, value: str
) -> None:
    found = await parsed(text_of(form, value))
    obj = told(form, found)
    assert set(obj["spec"]) == {UNREADABLE}
    obj["spec"] = job("job")["spec"]
    assert found == wrapped(job("job"))[form]


@pytest.mark.parametrize("form", FORMS)
def test_what_the_users_text_looks_like_misleads_nobody(form: str) -> None:
    text = text_of(form, f"[{LARGE[2]}, {LARGE[1]}]")
    assert told(form, json.loads(lightened(text)))["status"] == {"phase": "Queued"}


@pytest.mark.parametrize("field", ["labels", "managedFields"])
async def test_metadata_that_is_too_much_is_empty(field: str) -> None:
    text = json.dumps(job("job")).encode()
    for value in DEEP:
        deep = text.replace(b'"metadata": {', f'"metadata": {{"{field}": {value}, '.encode(), 1)
        deep = deep.replace(b', "labels": {"spec": "[{"}', b"")
        found = await parsed(deep.replace(b'"labels": {"spec": "[{"}, ', b""))
        assert not found["metadata"][field]
        assert found["spec"] == job("job")["spec"]


@given(VALUES, st.sampled_from(FORMS))
def test_what_is_within_bounds_stays_as_it_is(value: Any, form: str) -> None:
    text = json.dumps(wrapped(job("job", value))[form], ensure_ascii=False).encode(
        errors="surrogatepass"
    )
    assert lightened(text) == text


@given(st.lists(st.sampled_from([*"[]{}", '"', '\\"', "a", ",", '{"spec":', '{"metadata":{'])))
def test_a_text_that_is_no_json_ends_in_no_other_error(pieces: list[str]) -> None:
    text = "".join(pieces).encode()
    lightened(text)
    is_readable(text)


def test_an_object_as_users_write_them_is_read_at_once() -> None:
    usual = json.dumps(job("job", [{"name": f"n{n}", "value": "v" * 50} for n in range(100)]))
    assert is_readable(usual.encode())
    assert bounds.MOST_LEVELS > 50
