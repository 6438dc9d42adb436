"""URIs that users write: which the store's own credential opens, and what messages show of them."""

import time
from typing import Any

import pytest

import slipway.uris
import slipway_runtime.shown
from slipway.uris import ObjectUri, StorePlaces, UriError, refusal
from tests.vectors import JUDGED, LAYOUTS, NAMESPACE, SCRUBBED, SHOWN

SIDES = pytest.mark.parametrize("side", [slipway.uris, slipway_runtime.shown])


def places(layout: str) -> StorePlaces:
    return StorePlaces(tuple(LAYOUTS[layout]["own"]), tuple(LAYOUTS[layout]["shared"]))


@pytest.mark.parametrize(("layout", "case"), JUDGED, ids=lambda value: str(value)[:80])
def test_a_namespace_has_its_own_and_what_is_shared_opened(layout: str, case: Any) -> None:
    read = refusal(case["uri"], NAMESPACE, places(layout))
    written = refusal(case["uri"], NAMESPACE, places(layout), writes=True)
    assert (read is None, written is None) == (case["reads"], case["writes"])


def test_a_refusal_says_what_to_write_instead() -> None:
    message = refusal("s3://slipway/outputs/team-b/", "team-a", places("one bucket"))
    assert message is not None
    assert "s3://slipway/outputs/team-a/ or " in message
    assert "s3://slipway/shared/" in message
    assert "credentialsSecretName" in message


@pytest.mark.parametrize(
    "uri", ["s3://bucket", "s3://bucket/", "s3://bucket/a/b", "s3://bucket/a/"]
)
def test_a_uri_that_is_read_is_the_one_that_was_written(uri: str) -> None:
    assert str(ObjectUri.parse(uri)).rstrip("/") == uri.rstrip("/")


def test_what_is_wrong_with_a_uri_is_said() -> None:
    with pytest.raises(UriError, match="empty part"):
        ObjectUri.parse("s3://bucket//a")


@SIDES
@pytest.mark.parametrize(("uri", "expected"), SHOWN)
def test_a_uri_is_shown_without_what_opens_it(side: Any, uri: str, expected: str) -> None:
    assert side.shown(uri) == expected


@SIDES
@pytest.mark.parametrize(("text", "expected"), SCRUBBED)
def test_a_text_loses_what_opens_its_uris(side: Any, text: str, expected: str) -> None:
    assert side.scrubbed(text) == expected


@SIDES
@pytest.mark.parametrize("text", ["a." * 20_000, "?" * 40_000, "a://" * 10_000, "@:" * 20_000])
def test_a_text_made_to_be_slow_is_scrubbed_at_once(side: Any, text: str) -> None:
    begin = time.thread_time()
    side.scrubbed(text)
    assert time.thread_time() - begin < 2
