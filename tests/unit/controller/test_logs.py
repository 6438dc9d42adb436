"""Logs are JSON lines with the object's name."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.telemetry import logs
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


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(stream: io.StringIO) -> Clock:
    """Have the handler go by a clock of the test's."""
    clock = Clock()
    (handler,) = logging.getLogger().handlers
    handler.filters[:] = [logs.Repeats(clock)]
    return clock


def test_a_fault_that_is_logged_each_second_is_told_once_a_minute_with_how_often(
    stream: io.StringIO, clock: Clock
) -> None:
    for second in range(121):
        clock.now = float(second)
        logging.getLogger("slipway.test").warning("The Lease was not written: %s", "no right")
    assert [int(line.get("leftOut", 0)) for line in lines(stream)] == [0, 59, 59]


def test_the_same_is_told_of_each_object_and_good_news_each_time(
    stream: io.StringIO, clock: Clock
) -> None:
    log = logging.getLogger("slipway.test")
    for name in ("a", "b", "a"):
        with about("TrainingJob", "default", name):
            log.warning("Will try again")
            log.info("Sent: apply")
    told = [(line["message"], line["name"]) for line in lines(stream)]
    assert told.count(("Will try again", "a")) == told.count(("Will try again", "b")) == 1
    assert len([one for one in told if one[0] == "Sent: apply"]) == 3


def test_what_ten_thousand_objects_fail_by_fills_no_disk(stream: io.StringIO, clock: Clock) -> None:
    log = logging.getLogger("slipway.test")
    for number in range(10_000):
        clock.now = number / 100
        with about("TrainingJob", "default", f"job-{number}"):
            log.warning("Will try again in %.1f s: the webhook does not answer", number / 7)
    log.warning("Another place is heard")
    told = lines(stream)
    assert 200 <= len(told) <= 200 + 100 + 12 + 2
    assert told[-1]["message"] == "Another place is heard"
    assert sum(int(line.get("leftOut", 0)) for line in told) > 9_000


def fail_in(namespace: str, number: int) -> None:
    with about("TrainingJob", namespace, f"job-{number}"):
        logging.getLogger("slipway.test").warning("Will try again in %d s: no right", number)


def told_of(stream: io.StringIO, namespace: str) -> int:
    return len([line for line in lines(stream) if line.get("namespace") == namespace])


def test_a_namespace_of_many_faults_keeps_no_other_namespaces_first_ones_out_of_the_log(
    stream: io.StringIO, clock: Clock
) -> None:
    for number in range(10_000):
        clock.now = number / 100
        fail_in("noisy", number)
    for number in range(20):
        fail_in("quiet", number)
    assert told_of(stream, "quiet") == 10
    before = told_of(stream, "noisy")
    fail_in("noisy", 10_000)
    assert told_of(stream, "noisy") == before, "its reserve is its own"
    clock.now += 61
    for number in range(100):
        fail_in("noisy", 20_000 + number)
    fail_in("quiet", 20)
    assert told_of(stream, "quiet") == 11, "the reserve comes back"


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from([0.0, 0.1, 30.0, 700.0])),
        min_size=1,
        max_size=400,
    )
)
def test_a_place_logs_no_more_than_its_budget_and_the_reserves_of_as_many_namespaces(
    faults: list[tuple[int, float]],
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_BURST": 5.0, "_RESERVE": 2.0, "_MOST_RESERVES": 4}.items():
            patch.setattr(logs, name, value)
        repeats, logged = logs.Repeats(clock), 0
        for number, (namespace, later) in enumerate(faults):
            clock.now += later
            record = logging.LogRecord("slipway", 30, "place", 1, "%d", (number,), None)
            with about("TrainingJob", str(namespace), "job"):
                logged += repeats.filter(record)
        assert logged <= 5 + 4 * 2 + clock.now * (1 + 4 / 60)
        assert len(repeats._places[("place", 1)]._reserves) <= 4


def test_namespaces_that_come_and_go_get_reserves_again_once_others_are_whole(
    stream: io.StringIO, clock: Clock
) -> None:
    for number in range(1000):
        fail_in(f"team-{number}", number)
    assert len(lines(stream)) == 200 + logs._MOST_RESERVES
    clock.now += 600
    for number in range(1000):
        fail_in(f"other-{number}", number)
    assert len(lines(stream)) == 2 * (200 + logs._MOST_RESERVES)


class WithoutText:
    """Something that raises where its text is asked for."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(("text", "value"), [("%d objects", "many"), ("%s", WithoutText())])
def test_a_line_that_cannot_be_formatted_ends_nobodys_work(
    stream: io.StringIO, text: str, value: object
) -> None:
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        logging.getLogger("slipway.test").warning(text, value)
    finally:
        logging.raiseExceptions = before
