"""How samples of pods' counters are gathered and kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from slipway.controller.readers.rollout_traffic import Question, TrafficReader, add_sample, prune
from slipway.serving.analysis.traffic import Counters, PodSample, Sample, Traffic

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float, **requests: int) -> Sample:
    pods = {uid: PodSample("new", Counters(count)) for uid, count in requests.items()}
    return Sample(BEGIN + timedelta(seconds=seconds), pods)


def counted(samples: list[Sample]) -> float:
    window = Traffic("new", "old", tuple(samples)).since(BEGIN)
    assert window is not None
    return window.candidate.requests


def test_a_pod_that_is_silent_once_loses_nothing() -> None:
    samples: list[Sample] = []
    for sample in (at(0, a=100), at(10), at(20, a=130)):
        samples = add_sample(samples, sample, {"a": BEGIN - timedelta(hours=1)})
    assert counted(samples) == 30


def test_what_an_old_pod_answered_before_it_was_first_seen_counts_for_nobody() -> None:
    samples: list[Sample] = []
    for sample in (at(0), at(10, a=5000), at(20, a=5030)):
        samples = add_sample(samples, sample, {"a": BEGIN - timedelta(hours=1)})
    assert counted(samples) == 30


def test_all_that_a_new_pod_answered_counts() -> None:
    samples: list[Sample] = []
    for sample in (at(0), at(10, a=20), at(20, a=30)):
        samples = add_sample(samples, sample, {"a": BEGIN + timedelta(seconds=5)})
    assert counted(samples) == 30


def test_samples_before_all_windows_are_forgotten() -> None:
    samples = [at(0), at(10), at(20), at(30)]
    second = BEGIN + timedelta(seconds=10)
    assert prune(samples, [BEGIN + timedelta(seconds=20), second]) == samples[1:]
    assert prune(samples, []) == samples[-1:]
    assert prune(samples, [BEGIN + timedelta(seconds=99)]) == samples[-1:]


def test_a_long_window_keeps_its_first_sample_and_the_newest() -> None:
    samples: list[Sample] = []
    inner = BEGIN + timedelta(seconds=301)
    for second in range(2000):
        samples = prune(add_sample(samples, at(second, a=second), {}), [BEGIN, inner])
    assert len(samples) <= 300
    assert counted(samples) == 1999
    assert any(sample.time == inner for sample in samples)


def busy(second: int, pods: int, **gauges: float) -> Sample:
    """Return a sample of pods that answer once a second, with histograms."""
    counters = Counters(second, latency=((10.0, second), (20.0, second)), gauges=gauges)
    found = {f"pod-{number}": PodSample("new", counters) for number in range(pods)}
    return Sample(BEGIN + timedelta(seconds=second), found)


@pytest.mark.parametrize("pods", [1, 20, 1000])
def test_a_long_window_keeps_few_histograms_however_many_pods_there_are(pods: int) -> None:
    samples: list[Sample] = []
    for second in range(300):
        samples = prune([*samples, busy(second, pods)], [BEGIN])
    assert len(samples) <= 9
    assert counted(samples) == 299 * pods


def test_the_mean_of_a_gauge_goes_over_the_samples_between_as_well() -> None:
    samples: list[Sample] = []
    for second in range(1000):
        samples = prune([*samples, busy(second, 20, score=second % 7)], [BEGIN])
    window = Traffic("new", "old", tuple(samples)).since(BEGIN)
    assert window is not None
    assert window.candidate.requests == 999 * 20
    assert window.candidate.gauges["score"] == pytest.approx(3, abs=0.6)
    pods = [pod for sample in samples for pod in sample.pods.values()]
    assert len(pods) <= 2048 + 9 * 20
    assert sum(bool(pod.counters.latency) for pod in pods) == 9 * 20


def test_a_window_begins_at_no_sample_of_which_only_the_gauges_are_left() -> None:
    samples: list[Sample] = []
    for second in range(100):
        samples = prune([*samples, busy(second, 1, score=1)], [BEGIN])
    window = Traffic("new", "old", tuple(samples)).since(BEGIN + timedelta(seconds=50))
    assert window is not None
    assert window.start == BEGIN + timedelta(seconds=92)
    assert window.candidate.requests == 7


class Reading:
    """A reader without pods to ask, by a clock that the test sets."""

    def __init__(self) -> None:
        self.seconds, self.told = 0.0, asyncio.Event()
        now = lambda: BEGIN + timedelta(seconds=self.seconds)  # noqa: E731
        self.reader = TrafficReader(2.0, lambda: self.seconds, now)

    def read(self, candidate: str = "new") -> Traffic:
        question = Question("uid", "team", candidate, "old", (BEGIN,))
        return self.reader.read(question, [], self.told.set)

    async def sampled(self, candidate: str = "new") -> Traffic:
        """Read, wait for the word that a sample has come, and read it."""
        self.told.clear()
        self.read(candidate)
        async with asyncio.timeout(120):
            await self.told.wait()
        return self.read(candidate)


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    found = Reading()
    yield found
    await found.reader.close()


async def test_a_sample_is_not_waited_for_and_its_coming_is_told(reading: Reading) -> None:
    assert reading.read() == Traffic("new", "old")
    assert (await reading.sampled()).end == BEGIN


async def test_pods_are_asked_once_in_an_interval(reading: Reading) -> None:
    assert len((await reading.sampled()).samples) == 1
    reading.seconds = 1.9
    assert len(reading.read().samples) == 1
    reading.seconds = 2.0
    assert len((await reading.sampled()).samples) == 2


async def test_another_candidate_begins_anew(reading: Reading) -> None:
    await reading.sampled()
    assert reading.read("newer") == Traffic("newer", "old")
    assert len((await reading.sampled("newer")).samples) == 1
