import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers import signature
from slipway_handlers.settings import TensorSettings
from slipway_handlers.signature import Sample, Signature, SignatureError, Tensor

WHOLE: dict[str, Any] = {
    "slipwaySignature": 1,
    "inputs": [
        {"name": "age", "dtype": "float32", "shape": [-1], "default": 40.5, "missing": True},
        {"name": "colour", "dtype": "string", "categories": ["blue", "red"]},
    ],
    "outputs": [{"name": "output", "dtype": "float32", "shape": [-1, 2], "labels": ["no", "yes"]}],
    "preprocessing": {"size": 28},
    "sample": {"contentType": "application/json", "body": [{"age": 31, "colour": "red"}]},
}


def parse(**changed: Any) -> Signature:
    return signature.parse(json.dumps({**WHOLE, **changed}).encode())


def test_all_that_is_said_is_read() -> None:
    assert parse() == Signature(
        (
            Tensor("age", "float32", (-1,), default=40.5, missing=True),
            Tensor("colour", "string", (-1,), ("blue", "red")),
        ),
        (Tensor("output", "float32", (-1, 2), labels=("no", "yes")),),
        {"size": 28},
        Sample("application/json", [{"age": 31, "colour": "red"}]),
    )
    assert parse().labels == {"0": "no", "1": "yes"}


def test_an_archive_without_a_signature_has_an_empty_one(tmp_path: Path) -> None:
    assert signature.load(tmp_path) == Signature()
    assert Signature().labels is None


ONE = {"name": "x", "dtype": "int64"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"slipwaySignature": 2}, "slipwaySignature: write 1"),
        ({"slipwaySignature": True}, "slipwaySignature: write 1"),
        ({"more": 1}, "it has no field more"),
        ({"inputs": {}}, "inputs: write a list"),
        ({"inputs": [1]}, r"inputs\[0\]: write an object"),
        ({"inputs": [ONE, ONE]}, "inputs: write each name once"),
        ({"inputs": [{**ONE, "name": ""}]}, r"inputs\[0\].name: write a text"),
        ({"inputs": [{**ONE, "name": "a\x1b"}]}, r"inputs\[0\].name: write a text"),
        ({"inputs": [{**ONE, "dtype": "complex"}]}, r"inputs\[0\].dtype: write one of float32"),
        ({"inputs": [{**ONE, "shape": []}]}, r"inputs\[0\].shape: write 1 to 16 lengths"),
        ({"inputs": [{**ONE, "shape": [0]}]}, r"inputs\[0\].shape"),
        ({"inputs": [{**ONE, "shape": [True]}]}, r"inputs\[0\].shape"),
        ({"inputs": [{**ONE, "categories": []}]}, r"inputs\[0\].categories: write at least one"),
        ({"inputs": [{**ONE, "categories": ["a", 1]}]}, r"categories: write different texts"),
        ({"inputs": [{**ONE, "categories": [1, 1]}]}, r"categories: write different texts"),
        ({"inputs": [{**ONE, "categories": ["a"]}]}, "categories: write texts of a string"),
        ({"inputs": [{**ONE, "dtype": "float32", "categories": [1]}]}, "categories: write texts"),
        ({"inputs": [{**ONE, "default": 1.5}]}, r"default: write a value of the type int64"),
        ({"inputs": [{**ONE, "default": 3, "categories": [1]}]}, "default: write one of its"),
        ({"outputs": [{**ONE, "labels": ""}]}, r"outputs\[0\].labels: write a list"),
        ({"inputs": [{**ONE, "missing": True}]}, r"inputs\[0\].missing: write false"),
        ({"inputs": [{**ONE, "missing": 0}]}, r"inputs\[0\].missing: write true or false"),
        ({"outputs": [{**ONE, "labels": [1]}]}, r"outputs\[0\].labels: write different texts"),
        ({"preprocessing": [1]}, "preprocessing: write settings"),
        ({"sample": {"contentType": "text/plain", "body": {}}}, "sample.body: write a text"),
        ({"sample": {"contentType": "", "body": "x"}}, "sample.contentType: write a media type"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(changed: Any, why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        parse(**changed)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"slipwaySignature": 1, "slipwaySignature": 1}', "two fields of one name"),
        (b'{"slipwaySignature": 1, "sample": NaN}', "NaN, which is no number of JSON"),
        (b" " * (signature.MAX_BYTES + 1), "is longer than"),
    ],
)
def test_what_is_no_strict_json_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        signature.parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)
TENSOR = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("name", "dtype", "shape", "categories", "default", "missing"), JSON)
)
FIELDS = st.fixed_dictionaries(
    {"slipwaySignature": st.just(1)},
    optional={
        "inputs": JSON | st.lists(TENSOR, max_size=2),
        "outputs": JSON,
        "preprocessing": JSON,
        "sample": JSON,
    },
)


@given(FIELDS | JSON)
def test_any_json_is_a_signature_or_refused(content: Any) -> None:
    with contextlib.suppress(SignatureError):
        assert isinstance(signature.parse(json.dumps(content).encode()), Signature)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_signature_or_refused(text: bytes) -> None:
    with contextlib.suppress(SignatureError):
        signature.parse(text)


def test_the_specs_settings_come_before_those_of_the_script() -> None:
    told = parse()
    assert signature.settings(told, None) == {"size": 28}
    assert signature.settings(told, {"size": 32, "top": 1}) == {"size": 32, "top": 1}
    assert signature.settings(told, [1]) == [1]


def test_the_tensor_handler_takes_what_is_declared_unless_the_spec_says_another() -> None:
    declared = Tensor("x", "int64", (-1, 3, -1))
    assert TensorSettings.read({}, declared) == TensorSettings("int64", (3, -1))
    told = TensorSettings.read({"dtype": "int32", "shape": [2]}, declared)
    assert told == TensorSettings("int32", (2,))


def test_a_type_that_the_tensor_handler_cannot_give_is_refused_by_the_inputs_name() -> None:
    with pytest.raises(SignatureError, match="input x has the type string, and the handler takes"):
        TensorSettings.read({}, Tensor("x", "string"))
