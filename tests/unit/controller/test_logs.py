"""Logs are JSON lines with the object's name."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from slipway.telemetry.logs import about, set_up_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logs("INFO", stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_names_the_object_that_it_is_about(stream: io.StringIO) -> None:
    log = logging.getLogger("slipway.test")
    with about("TrainingJob", "default", "diabetes"):
        log.info("Sent: %s", "apply")
    log.info("Idle")
    first, second = lines(stream)
    assert first["message"] == "Sent: apply"
    assert (first["kind"], first["namespace"], first["name"]) == (
        "TrainingJob",
        "default",
        "diabetes",
    )
    assert "kind" not in second
    assert second["time"].endswith("Z")


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("slipway.test").exception("Failed")
    (line,) = lines(stream)
    assert "ValueError: two\nlines" in line["exception"]


def fail(what: str, *, otherwise: bool = False) -> None:
    try:
        if otherwise:
            raise KeyError(what)
        raise ValueError(what)
    except Exception:
        logging.getLogger("slipway.test").exception("Failed")


def test_the_traceback_of_one_place_is_logged_once_for_all_objects(stream: io.StringIO) -> None:
    for number in range(5):
        fail(f"of object {number}")
    fail("elsewhere", otherwise=True)
    told = [line["exception"] for line in lines(stream)]
    assert [text.startswith("Traceback") for text in told] == [True, *[False] * 4, True]
    assert "ValueError('of object 4')" in told[4]


def test_long_texts_are_cut(stream: io.StringIO) -> None:
    logging.getLogger("slipway.test").warning("x" * 1_000_000)
    fail("y" * 1_000_000)
    assert all(len(line) < 25_000 for line in stream.getvalue().splitlines())


def test_libraries_speak_only_from_warnings_on(stream: io.StringIO) -> None:
    logging.getLogger("kopf").info("chatter")
    assert lines(stream) == []
