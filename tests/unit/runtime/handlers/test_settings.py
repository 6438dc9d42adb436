import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_handlers.sequences.settings import SequenceSettings
from slipway_handlers.settings import (
    ClassSettings,
    ImageSettings,
    SettingsError,
    TensorSettings,
    TextSettings,
    TokenSettings,
)

KINDS: tuple[Any, ...] = (
    *(TensorSettings, ImageSettings, TextSettings, TokenSettings, ClassSettings, SequenceSettings),
)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_said_is_the_defaults(kind: Any) -> None:
    assert kind.read(None) == kind.read({})


def test_what_is_said_is_taken() -> None:
    assert TensorSettings.read({"dtype": "int64", "shape": [3, -1]}).shape == (3, -1)
    found = ImageSettings.read({"size": 28, "channels": 1, "mean": [0.5], "std": [0.5], "top": 1})
    assert (found.size, found.resize, found.mode, found.mean) == (28, 32, "L", (0.5,))
    text = TextSettings.read({"maxTokens": 9, "lowercase": False, "activation": "none"})
    assert (text.max_tokens, text.lowercase, text.classes.activation) == (9, False, "none")


@pytest.mark.parametrize(
    ("kind", "given_", "why"),
    [
        (TensorSettings, {"size": 1}, "no setting size"),
        (TensorSettings, {"dtype": "complex"}, "dtype: write one of float32"),
        (TensorSettings, {"shape": 3}, "the shape of one row"),
        (TensorSettings, {"shape": [0]}, "the shape of one row"),
        (TensorSettings, [1], "by their names"),
        (ImageSettings, {"channels": 2}, "channels: write one of 3, 1"),
        (ImageSettings, {"size": 300, "resize": 256}, "resize: write a number from 300"),
        (ImageSettings, {"mean": [1]}, "a list of 3"),
        (ImageSettings, {"mean": [0, 10**400, 0]}, "a list of 3"),
        (ImageSettings, {"std": [1, 0, 1]}, "above 0"),
        (TextSettings, {"lowercase": "yes"}, "one of true, false"),
        (TextSettings, {"lowercase": 1}, "one of true, false"),
        (TextSettings, {"top": True}, "top: write a number"),
        (TextSettings, {"activation": "relu"}, "softmax, sigmoid, none"),
        (TokenSettings, {"outside": ""}, "outside: write a text"),
        (ClassSettings, {"size": 1}, "no setting size"),
    ],
)
def test_what_is_none_is_refused_by_its_name(kind: Any, given_: Any, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        kind.read(given_)


NAMES = ("dtype", "shape", "top", "size", "resize", "mean", "std", "channels", "maxTokens", "k")
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.lists(VALUES, max_size=3)),
)
def test_whatever_is_said_is_taken_or_refused(kind: Any, given_: Any) -> None:
    with contextlib.suppress(SettingsError):
        assert kind.read(given_)
