"""Restarts in a row of attempts that end soon wait longer and longer, whatever ended them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.api import parse_time
from slipway.api.training.attempts import BackOff
from slipway.training.report.backoff import (
    HEALTHY_SECONDS,
    LONGEST_DELAY_SECONDS,
    delay_seconds,
    seconds_left,
)
from tests.unit.training.simulation import START, Cluster, condition, training_job, underway

FREE = "RestartAndIgnoreMaxRestarts"


def running() -> Cluster:
    rule = {"onExitCodes": {"values": [3]}, "action": FREE}
    restart = {"maxRestarts": 1000, "rules": [rule]}
    return underway(nodes=2, lingering=True, restart=restart)


def fail(cluster: Cluster) -> None:
    cluster.finish(cluster.pods()[0], 1, {"reason": "ScriptFailed"})


def fail_freely(cluster: Cluster) -> None:
    cluster.finish(cluster.pods()[0], 3, {"reason": "ScriptFailed"})


def evict(cluster: Cluster) -> None:
    cluster.disrupt(cluster.pods()[0])
    cluster.wait(3)


def end_by_143(cluster: Cluster) -> None:
    cluster.finish(cluster.pods()[0], 243, {"reason": "ScriptFailed", "exitCode": 143})


CAUSES = (fail, fail_freely, evict, end_by_143)


def live_through(cluster: Cluster, cause: Any, seconds: float) -> float:
    """Let an attempt run for some seconds and end; return how long its restart then waited."""
    cluster.wait(seconds)
    cause(cluster)
    cluster.settle()
    cluster.leave()
    decided = cluster.now
    for _ in range(100):
        cluster.settle()
        if cluster.pods():
            break
        left = cluster.reconcile().requeue_after
        assert left, "a restart that waits is looked at again"
        cluster.wait(left)
    waited = (cluster.now - decided).total_seconds()
    cluster.start()
    cluster.settle()
    assert cluster.status["phase"] == "Running"
    return waited


@pytest.mark.parametrize("cause", CAUSES)
def test_attempts_that_end_at_once_wait_longer_and_longer(cause: Any) -> None:
    cluster = running()
    waited = [live_through(cluster, cause, 1) for _ in range(9)]
    assert waited[:5] == pytest.approx([0, 10, 20, 40, 80], abs=4)
    assert waited[-1] == pytest.approx(LONGEST_DELAY_SECONDS, abs=4)


def test_an_attempt_that_ran_well_ends_the_row() -> None:
    cluster = running()
    for _ in range(4):
        live_through(cluster, fail, 1)
    assert live_through(cluster, fail, HEALTHY_SECONDS) == 0
    assert live_through(cluster, fail, 1) == 0
    assert live_through(cluster, fail, 1) == 10


def test_time_of_earlier_attempts_is_no_excuse() -> None:
    cluster = running()
    live_through(cluster, fail, 3 * HEALTHY_SECONDS)
    waited = [live_through(cluster, fail, 1) for _ in range(4)]
    assert waited == [0, 10, 20, 40]


def test_a_restart_that_waits_says_until_when() -> None:
    cluster = running()
    live_through(cluster, fail, 1)
    cluster.wait(1)
    fail(cluster)
    cluster.settle()
    cluster.leave()
    cluster.settle()
    until = cluster.status["backOff"]["until"]
    assert f"no sooner than {until}" in condition(cluster, "Restarting")["message"]


ATTEMPTS = st.tuples(
    st.sampled_from(CAUSES), st.one_of(st.floats(0, 30), st.sampled_from([599.0, 601.0, 5000.0]))
)


@settings(max_examples=25, deadline=None)
@given(history=st.lists(ATTEMPTS, max_size=12))
def test_whatever_ends_attempts_their_restarts_are_bounded_in_any_hour(history: Any) -> None:
    cluster, starts = running(), [START]
    for cause, seconds in history:
        live_through(cluster, cause, seconds)
        starts.append(cluster.now)
    for index, begin in enumerate(starts):
        within = [one for one in starts[index:] if one <= begin + timedelta(hours=1)]
        assert len(within) <= _most_starts(3600)
    assert cluster.status["attempt"] == len(history)


def _most_starts(seconds: float) -> int:
    """Return how many starts fit into a time: those of a row, and two for each healthy attempt."""
    count, used = 1, 0.0
    while used <= seconds:
        used += delay_seconds(count)
        count += 1
    return count + 2 * int(seconds / HEALTHY_SECONDS)


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    job = training_job({"source": {"configMap": {"name": "s"}}, "entrypoint": "t.py"})
    put_off = BackOff(short_attempts=9, until="2026-01-01T13:00:00Z")
    job = job.model_copy(update={"status": job.status.model_copy(update={"back_off": put_off})})
    until = parse_time(put_off.until)
    assert until is not None
    assert seconds_left(job, until - timedelta(seconds=5)) == 5
    assert seconds_left(job, until - timedelta(hours=1)) == 0
