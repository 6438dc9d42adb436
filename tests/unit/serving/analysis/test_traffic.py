"""What happened between samples of the pods' counters."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from slipway.serving.analysis.traffic import Counters, PodSample, Sample, Traffic, quantile

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def pod(requests: float, errors: float = 0, revision: str = "new", **fields: float) -> PodSample:
    latency = ((10.0, requests / 2), (20.0, requests), (math.inf, requests))
    return PodSample(revision, Counters(requests, errors, latency), **fields)


def traffic(*samples: dict[str, PodSample]) -> Traffic:
    times = [BEGIN + timedelta(seconds=10 * i) for i in range(len(samples))]
    taken = tuple(Sample(time, pods) for time, pods in zip(times, samples, strict=True))
    return Traffic("new", "old", taken)


def test_a_window_counts_what_came_since_its_start() -> None:
    window = traffic({"a": pod(100, 3)}, {"a": pod(150, 5)}, {"a": pod(190, 6)}).since(BEGIN)
    assert window is not None
    assert (window.candidate.requests, window.candidate.errors) == (90, 3)
    assert window.candidate.latency == ((10.0, 45), (20.0, 90), (math.inf, 90))
    assert window.seconds == 20
    assert window.stable.requests == 0


def test_a_window_begins_with_the_first_sample_after_its_start() -> None:
    known = traffic({"a": pod(1)}, {"a": pod(5)}, {"a": pod(8)})
    window = known.since(BEGIN + timedelta(seconds=1))
    assert window is not None
    assert window.start == BEGIN + timedelta(seconds=10)
    assert window.candidate.requests == 3
    assert known.since(BEGIN + timedelta(seconds=60)) is None


def test_a_pod_that_came_meanwhile_counts_whole_and_one_that_went_counts_as_far_as_seen() -> None:
    window = traffic({"a": pod(10)}, {"a": pod(30), "b": pod(7)}, {"b": pod(9)}).since(BEGIN)
    assert window is not None
    assert window.candidate.requests == 20 + 9


def test_a_proxy_that_started_anew_counts_from_zero() -> None:
    window = traffic({"a": pod(1000, 50)}, {"a": pod(20, 1)}).since(BEGIN)
    assert window is not None
    assert (window.candidate.requests, window.candidate.errors) == (20, 1)


def test_answers_that_never_came_count_against_the_revision_that_was_asked() -> None:
    first = {"s": pod(500, revision="old"), "c": pod(0)}
    last = {
        "s": pod(900, revision="old", forwarded=100, forward_errors=40),
        "c": pod(70, 10),
    }
    window = traffic(first, last).since(BEGIN)
    assert window is not None
    assert (window.candidate.requests, window.candidate.errors) == (100, 40)
    assert (window.stable.requests, window.stable.errors) == (400, 0)


def test_gauges_are_the_mean_over_pods_and_samples() -> None:
    def gauges(value: float) -> PodSample:
        return PodSample("new", Counters(gauges={"Score": value}))

    window = traffic(
        {"a": gauges(100)}, {"a": gauges(1), "b": gauges(2)}, {"a": gauges(3), "b": gauges(4)}
    ).since(BEGIN)
    assert window is not None
    assert window.candidate.gauges == {"Score": 2.5}


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 10.0), (0.25, 5.0), (0.75, 15.0), (1.0, 20.0), (0.0, 0.0)]
)
def test_a_quantile_lies_within_its_bucket(share: float, expected: float) -> None:
    latency = ((10.0, 50.0), (20.0, 100.0), (math.inf, 100.0))
    assert quantile(latency, share) == pytest.approx(expected)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile(((10.0, 1.0), (math.inf, 100.0)), 0.99) == 10.0


@pytest.mark.parametrize("latency", [(), ((10.0, 0.0), (math.inf, 0.0)), ((math.inf, 5.0),)])
def test_there_is_no_quantile_of_nothing(latency: tuple[tuple[float, float], ...]) -> None:
    assert quantile(latency, 0.5) is None
