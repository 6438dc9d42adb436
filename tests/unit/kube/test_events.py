"""Events: no repetitions, no flood, and never a reason to fail."""

import asyncio
import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import cast

import pytest

from slipway.kube.client import Client
from slipway.kube.errors import Forbidden, NotFound
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.events import EventRecorder
from slipway.kube.writes.withheld import stands_in
from slipway.plan import Event, Manifest, ObjectRef
from tests.unit.controller.fakes import FakeClient, training_job


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_is_too_much_is_dropped_and_counted() -> None:
    api, told = FakeClient(), Counter[str]()
    recorder = EventRecorder(cast(Client, api), told=lambda result: told.update([result]))
    event = Event("Normal", "Created", "one")
    will_be = sum(recorder.record(training_job(f"job-{n}"), event) for n in range(5000))
    while told["posted"] < will_be:
        await recorder.post()
    assert told == {"posted": 4096, "dropped": 904}
    assert len(api.events) == will_be == 4096
    assert recorder.record(training_job("job-4999"), event), "what was dropped may be told later"


def in_namespace(namespace: str, name: str) -> Manifest:
    job = training_job(name)
    meta = {**job["metadata"], "namespace": namespace, "uid": f"{namespace}-{name}"}
    return {**job, "metadata": meta}


async def test_events_of_one_namespace_neither_delay_nor_displace_those_of_another() -> None:
    api = FakeClient()
    recorder = EventRecorder(cast(Client, api))
    event = Event("Normal", "Created", "one")
    for number in range(5000):
        recorder.record(in_namespace("flood", str(number)), event)
    assert recorder.record(in_namespace("victim", "job"), event)
    await recorder.post()
    assert "victim" in [each["metadata"]["namespace"] for each in api.events[:2]]
    assert recorder.record(in_namespace("flood", "4095"), event), "what made room may be told later"


async def test_what_the_api_server_refuses_is_not_counted_as_posted() -> None:
    api, told = FakeClient(), list[str]()
    api.failures["create"] = Forbidden("events is forbidden", 403)
    recorder = EventRecorder(cast(Client, api), told=told.append)
    recorder.record(training_job(), Event("Normal", "Created", "one"))
    await recorder.post()
    assert told == ["refused"]


def recorder() -> tuple[EventRecorder, FakeClient, Clock]:
    api, clock = FakeClient(), Clock()
    return EventRecorder(cast(Client, api), clock), api, clock


async def test_the_same_event_is_posted_again_only_after_ten_minutes() -> None:
    events, api, clock = recorder()
    event = Event("Warning", "StoreUnavailable", "The store does not answer.")
    for clock.now in (0.0, 1.0, 599.0, 600.0):
        events.record(training_job(), event)
    await events.post()
    assert len(api.events) == 2


async def test_other_messages_and_other_objects_are_news() -> None:
    events, api, _ = recorder()
    events.record(training_job("a"), Event("Normal", "Created", "one"))
    events.record(training_job("a"), Event("Normal", "Created", "two"))
    events.record(training_job("b"), Event("Normal", "Created", "one"))
    await events.post()
    assert len(api.events) == 3


async def test_one_object_cannot_flood_the_cluster() -> None:
    events, api, clock = recorder()
    for number in range(100):
        events.record(training_job(), Event("Normal", "Progress", str(number)))
    await events.post()
    assert len(api.events) == 10
    clock.now = 60.0
    events.record(training_job(), Event("Normal", "Progress", "later"))
    await events.post()
    assert len(api.events) == 11


async def test_what_goes_well_never_keeps_a_warning_from_being_told() -> None:
    events, api, _ = recorder()
    for number in range(100):
        events.record(training_job(), Event("Normal", "TrafficShifted", str(number)))
    for number in range(100):
        events.record(training_job(), Event("Warning", "AnalysisFailed", str(number)))
    await events.post()
    assert Counter(event["type"] for event in api.events) == {"Normal": 10, "Warning": 10}


async def test_an_event_that_is_refused_is_no_failure() -> None:
    events, api, _ = recorder()
    api.failures["create"] = Forbidden("events is forbidden", 403)
    events.record(training_job(), Event("Normal", "Created", "one"))
    events.record(training_job(), Event("Normal", "Created", "two"))
    await events.post()
    assert api.events == []
    del api.failures["create"]
    events.record(training_job(), Event("Normal", "Created", "three"))
    await events.post()
    assert [event["note"] for event in api.events] == ["three"]


async def test_what_happened_in_a_namespace_that_is_gone_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events, api, _ = recorder()
    api.failures["create"] = NotFound('namespaces "gone" not found', 404)
    events.record(training_job(), Event("Normal", "Created", "one"))
    with caplog.at_level("INFO"):
        await events.post()
    assert caplog.records == []


async def test_events_are_posted_once_nothing_else_is_to_be_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, quiet, posted = FakeClient(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        await quiet.wait()

    async def create(*_: object) -> Manifest:
        posted.set()
        return {}

    monkeypatch.setattr(api, "create", create)
    events = EventRecorder(cast(Client, api), quiet=wait)
    running = asyncio.create_task(events.run())
    events.record(training_job(), Event("Normal", "Created", "one"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not posted.is_set()
    quiet.set()
    await asyncio.wait_for(posted.wait(), 120)
    running.cancel()


async def test_long_messages_are_cut_to_what_an_event_may_hold() -> None:
    events, api, _ = recorder()
    events.record(training_job(), Event("Normal", "Created", "x" * 5000))
    await events.post()
    assert len(api.events[0]["note"]) == 1024


async def test_a_long_message_is_cut_by_its_bytes_between_two_characters() -> None:
    events, api, _ = recorder()
    events.record(training_job(), Event("Warning", "ApplyRejected", "é" * 1000 + "x"))
    await events.post()
    assert api.events[0]["note"] == "é" * 512
    events.record(training_job(), Event("Warning", "ApplyRejected", "x" + "é" * 1000))
    await events.post()
    assert api.events[1]["note"] == "x" + "é" * 511


async def test_of_a_long_message_no_more_is_kept_than_is_posted() -> None:
    events, _, _ = recorder()
    tracemalloc.start()
    for number in range(200):
        text = f"{number} is invalid: " + "x" * 200_000
        events.record(training_job(f"job-{number}"), Event("Warning", "InvalidChild", text))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 4 << 20


NOT_THERE = Event("Warning", "TrainingJobNotFound", "There is none.", grace_seconds=30.0)


def missing(version: int = 1, reason: str = NOT_THERE.reason, uid: str = "one") -> Manifest:
    """Return a job whose condition has a reason."""
    job = training_job()
    meta = {**job["metadata"], "uid": uid, "resourceVersion": str(version)}
    condition = {"type": "Created", "status": "False", "reason": reason}
    return {**job, "metadata": meta, "status": {"conditions": [condition]}}


def watched(obj: Manifest) -> tuple[EventRecorder, FakeClient, Clock, Cache]:
    """Return a recorder that looks at the watched objects before it tells what was withheld."""
    api, clock, cache = FakeClient(), Clock(), Cache()
    cache.feed(obj)
    return EventRecorder(cast(Client, api), clock, stands=stands_in(cache)), api, clock, cache


async def test_what_is_still_missing_after_the_grace_is_told_once() -> None:
    events, api, clock, _ = watched(missing())
    for clock.now in (0.0, 10.0, 29.9):
        events.record(missing(), NOT_THERE)
        await events.post()
    assert api.events == []
    for clock.now in (30.0, 40.0, 500.0):
        events.record(missing(), NOT_THERE)
        await events.post()
    assert [(each["type"], each["reason"]) for each in api.events] == [
        ("Warning", "TrainingJobNotFound")
    ]


@pytest.mark.parametrize(
    "now", [missing(2, "WaitingForTrainingJob"), missing(2, uid="namesake"), None]
)
async def test_what_has_come_within_the_grace_is_not_told_to_be_missing(
    now: Manifest | None,
) -> None:
    events, api, clock, cache = watched(missing())
    events.record(missing(), NOT_THERE)
    if now is None:
        cache.remove(ObjectRef.of(missing()), "one")
    else:
        cache.feed(now)
    clock.now = 30.0
    await events.post()
    assert api.events == []


async def test_what_came_and_goes_missing_later_is_told_then() -> None:
    events, api, clock, cache = watched(missing())
    events.record(missing(), NOT_THERE)
    cache.feed(missing(2, "WaitingForTrainingJob"))
    clock.now = 30.0
    await events.post()
    cache.feed(missing(3))
    events.record(missing(3), NOT_THERE)
    clock.now = 60.0
    await events.post()
    assert [each["reason"] for each in api.events] == ["TrainingJobNotFound"]


async def test_an_event_without_a_grace_does_not_wait_for_one_that_has() -> None:
    events, api, _, _ = watched(missing())
    events.record(missing(), NOT_THERE)
    events.record(missing(), Event("Normal", "Created", "one"))
    await events.post()
    assert [each["reason"] for each in api.events] == ["Created"]


async def test_more_than_are_withheld_are_told_at_once_rather_than_forgotten() -> None:
    events, api, _ = recorder()
    jobs = [training_job(f"job-{number}") for number in range(4097)]
    assert all(events.record(job, NOT_THERE) for job in jobs)
    await events.post()
    assert [each["regarding"]["name"] for each in api.events] == ["job-4096"]


async def test_what_is_withheld_is_posted_though_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, posted = FakeClient(), asyncio.Event()

    async def create(*_: object) -> Manifest:
        posted.set()
        return {}

    monkeypatch.setattr(api, "create", create)
    events = EventRecorder(cast(Client, api))
    running = asyncio.create_task(events.run())
    events.record(training_job(), replace(NOT_THERE, grace_seconds=0.05))
    await asyncio.wait_for(posted.wait(), 60)
    running.cancel()
