"""What a kubelet's sentence says is missing, whatever the object is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.observed.start_reasons import MissingObject, missing_object

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["secret", "secret-config", "configmap", "in-secret.configmap"]
)


@given(name=NAMES, secret=st.booleans())
def test_an_object_that_is_not_there_is_named(name: str, secret: bool) -> None:
    kind = "secret" if secret else "configmap"
    assert missing_object(f'{kind} "{name}" not found') == MissingObject(secret, name)


@given(name=NAMES, key=NAMES, secret=st.booleans())
def test_a_key_that_is_not_there_names_its_object(name: str, key: str, secret: bool) -> None:
    kind = "Secret" if secret else "ConfigMap"
    message = f"couldn't find key {key} in {kind} team-a/{name}"
    assert missing_object(message) == MissingObject(secret, name)


@pytest.mark.parametrize("message", ["", "container has runAsNonRoot and image will run as root"])
def test_other_sentences_name_nothing(message: str) -> None:
    assert missing_object(message) is None
