"""The handlers of the release, by the examples as they are: trained, packaged, served, asked."""

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cluster.examples import begin
from tests.cluster.support import SERVE, TRAIN, Space, address
from tests.harness.cluster import Cluster

pytestmark = pytest.mark.cluster

BAD = {"tensor": [[1, 2, 3]], "image": b"no picture", "text": {"text": ""}}


def _picture(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(stream, "JPEG")
    return stream.getvalue()


def _ask(space: Space, name: str, content: Any) -> httpx.Response:
    given: dict[str, Any] = {"json": content}
    if isinstance(content, bytes):
        given = {"content": content, "headers": {"content-type": "image/jpeg"}}
    return httpx.post(f"{address(space, name)}/predict", timeout=60, **given)


def _refusal(space: Space, name: str, content: Any) -> str:
    answer = _ask(space, name, content)
    assert answer.status_code == 400, answer.text
    found = answer.json()
    assert found["type"] == "BadRequest"
    return str(found["message"])


def test_models_without_a_handler_of_their_own_are_trained_served_and_refuse_what_is_wrong(
    cluster: Cluster, space: Space
) -> None:
    begin(space, "handlers")
    for name in ("sums", "colours", "moods"):
        space.wait_until_ready(name, timeout=TRAIN + SERVE)

    ((sum_,),) = _ask(space, "sums", [[1, 2]]).json()
    assert sum_ == pytest.approx(4, abs=0.05)
    assert "a row has the shape [3] and not [2]" in _refusal(space, "sums", BAD["tensor"])

    for colour in ("red", "green", "blue"):
        shares = _ask(space, "colours", _picture("lime" if colour == "green" else colour)).json()
        assert next(iter(shares)) == colour, shares
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    encoded = {"image": base64.b64encode(_picture("red")).decode()}
    assert next(iter(_ask(space, "colours", encoded).json())) == "red"
    assert "no JPEG or PNG" in _refusal(space, "colours", BAD["image"])

    for text, label in (("A GOOD day!", "positive"), ("awful film", "negative")):
        found = _ask(space, "moods", {"text": text}).json()
        assert found["label"] == label
        assert found["score"] == found["scores"][label] > 0.5
    assert "not empty" in _refusal(space, "moods", BAD["text"])
