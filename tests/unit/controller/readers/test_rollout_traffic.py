"""How samples of pods' counters are gathered and kept."""

from datetime import UTC, datetime, timedelta

from slipway.controller.readers.rollout_traffic import Question, TrafficReader, add_sample, prune
from slipway.serving.traffic import Counters, PodSample, Sample, Traffic

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


async def test_without_pods_there_is_a_sample_that_counts_nothing() -> None:
    reader = TrafficReader(now=lambda: BEGIN)
    traffic = await reader.read(Question("uid", "new", "old", (BEGIN,)), [])
    assert traffic.end == BEGIN
    await reader.close()


async def test_pods_are_asked_once_in_an_interval() -> None:
    clock = [0.0]
    reader = TrafficReader(2.0, lambda: clock[0], lambda: BEGIN + timedelta(seconds=clock[0]))
    question = Question("uid", "new", "old", (BEGIN,))
    for moment, expected in ((0.0, 1), (1.9, 1), (2.0, 2), (3.0, 2)):
        clock[0] = moment
        assert len((await reader.read(question, [])).samples) == expected
    other = Question("uid", "newer", "old", (BEGIN,))
    assert len((await reader.read(other, [])).samples) == 1
    await reader.close()
