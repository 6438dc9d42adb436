"""What the development commands say while somebody waits for them."""

import io
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev import durations
from dev.durations import Run
from dev.steps import Board, aside, say


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def board(stream: io.StringIO, clock: Clock) -> Board:
    return Board(lambda: stream, clock)


def test_a_step_is_announced_and_tells_how_long_it_took(
    board: Board, stream: io.StringIO, clock: Clock
) -> None:
    with board.step("Building kubectl"):
        assert stream.getvalue() == "--> Building kubectl\n"
        clock.now += 12.34
    assert stream.getvalue().endswith("\n    12.3 s\n")


def test_steps_are_written_to_standard_error_as_it_is_at_the_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_of_steps_that_overlap_the_one_that_ends_is_named(
    board: Board, stream: io.StringIO
) -> None:
    with board.step("Building kubectl"), board.step("Building image localhost/x:0123456789ab"):
        pass
    assert stream.getvalue().splitlines()[2:] == ["    0.0 s", "    0.0 s: Building kubectl"]


def test_a_step_that_fails_says_so(board: Board, stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="no"), board.step("Building kubectl"):
        raise ValueError("no")
    assert stream.getvalue().endswith("    failed after 0.0 s: Building kubectl\n")
    assert board.line() == ""


def test_the_living_line_tells_the_place_and_the_time_that_is_left(
    board: Board, clock: Clock
) -> None:
    run = Run({"a": (0, 60), "Building image x": (60, 600), "c": (660, 40)}, clock.now)
    board.begin(run)
    with board.step("a"):
        clock.now += 60
    with board.step("Building image x:0123456789ab"):
        clock.now += 100
        assert board.line() == "step 2 of 3: Building image x (100 s); about 9 min left"
        clock.now += 1000
        assert board.line() == "step 2 of 3: Building image x (1100 s); about 40 s left"
    assert run.steps == {"a": (0, 60), "Building image x": (60, 1100)}


def test_what_no_earlier_run_had_has_no_time_left(board: Board, clock: Clock) -> None:
    board.begin(Run({}, clock.now))
    with board.step("a"):
        assert board.line() == "step 1 of 1: a (0 s)"


times = st.floats(0, 10_000)
steps = st.dictionaries(st.sampled_from("abcdef"), st.tuples(times, times))


@given(earlier=steps, done=steps, active=st.dictionaries(st.sampled_from("abcdef"), times))
def test_the_time_that_is_left_is_never_negative_and_never_grows_while_a_step_goes_on(
    earlier: dict[str, tuple[float, float]],
    done: dict[str, tuple[float, float]],
    active: dict[str, float],
) -> None:
    run = Run(earlier, 0, done)
    left = [run.seconds_left(active, now) for now in (10_000, 10_001, 90_000)]
    known = [seconds for seconds in left if seconds is not None]
    assert len(known) in (0, len(left))
    assert all(seconds >= 0 for seconds in known)
    assert known == sorted(known, reverse=True)


def test_the_figures_of_a_run_are_those_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    run = durations.load("up", 0)
    assert run.earlier == {}
    run.note("a", 3, 4)
    durations.save("up", run)
    assert durations.load("up", 9).earlier == {"a": (3, 4)}


def test_a_file_of_figures_that_cannot_be_read_is_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    (tmp_path / "durations").mkdir()
    (tmp_path / "durations" / "demo.json").write_text('{"demo": {"a": 3}}')
    earlier = durations.load("demo", 0).earlier
    assert "Training on two pods, then packaging the model" in earlier


def test_work_aside_goes_on_beside_the_block_and_is_waited_for() -> None:
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert over.wait(120)

    with aside(work):
        assert begun.wait(120)
        over.set()


def test_what_work_aside_raises_is_raised_after_the_block() -> None:
    def work() -> None:
        raise ValueError("no")

    reached = False
    with pytest.raises(ValueError, match="no"), aside(work):
        reached = True
    assert reached
