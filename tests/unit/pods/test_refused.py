"""When a Job is asked why it has no pods, and what of the answer is told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway.api import timestamp
from slipway.controller.loop.refusals import AGAIN_SECONDS, PATIENCE_SECONDS, Refusals
from slipway.kube.answers.response import TooLongError
from slipway.plan import Children, ObjectRef
from slipway.pods.refused import MOST_CHARACTERS, lacks_pods_since, last_refusal, sentence

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "a-train", "namespace": "team", "uid": "j"},
        "spec": {"completions": 2, "parallelism": 2},
        "status": {"startTime": timestamp(START), **status},
    }


def pod(number: int, phase: str = "Pending") -> dict[str, Any]:
    meta = {"name": f"p{number}", "namespace": "team", "ownerReferences": [{"uid": "j"}]}
    status = {"phase": phase}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


def test_a_job_with_all_its_pods_lacks_none() -> None:
    assert lacks_pods_since(job(), [pod(1), pod(2)]) is None
    assert lacks_pods_since(job(), [pod(1)]) == START
    assert lacks_pods_since(job(), [pod(1), pod(2, "Failed")]) == START
    assert lacks_pods_since(job(succeeded=1), [pod(1)]) is None


@pytest.mark.parametrize("type_", ["Complete", "Failed", "FailureTarget", "Suspended"])
def test_a_job_that_wants_no_pods_lacks_none(type_: str) -> None:
    assert lacks_pods_since(job(conditions=[{"type": type_, "status": "True"}]), []) is None


def event(note: str, seconds: float) -> dict[str, Any]:
    return {
        "metadata": {},
        "note": note,
        "eventTime": timestamp(START + timedelta(seconds=seconds)),
    }


def test_the_newest_sentence_counts_and_one_from_before_does_not() -> None:
    events = [event("Error creating: new", 2), event("Error creating: old", 1)]
    assert last_refusal(events, START) == "new"
    assert last_refusal(events, START + timedelta(seconds=3)) == ""


def test_a_sentence_is_one_printable_line_of_bounded_length() -> None:
    told = sentence("(combined from similar events): Error creating: a\n\x1b[31mb " + "c" * 5000)
    assert told.startswith("a [31mb c")
    assert len(told) == MOST_CHARACTERS


class Events:
    """An API server with one event."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, str] | None] = []

    async def request(
        self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        assert (method, path) == ("get", "/apis/events.k8s.io/v1/namespaces/team/events")
        self.asked.append(params)
        return {"items": [event("Error creating: no room", 1)]}


async def test_a_job_is_asked_for_after_a_while_and_then_seldom() -> None:
    api, now = Events(), [START]
    refusals = Refusals(api, lambda: now[0])
    live = job()
    children = Children({ObjectRef.of(live): live})
    early = await refusals.of(children)
    assert (early.sentences, early.again, api.asked) == ({}, PATIENCE_SECONDS, [])
    now[0] += timedelta(seconds=PATIENCE_SECONDS)
    for _ in range(3):
        told = await refusals.of(children)
        assert told.sentences == {"j": "no room"}
        assert told.again == AGAIN_SECONDS
    selector = "regarding.uid=j,reason=FailedCreate"
    assert api.asked == [{"fieldSelector": selector, "limit": "50"}]
    now[0] += timedelta(seconds=AGAIN_SECONDS)
    await refusals.of(children)
    assert len(api.asked) == 2


async def test_a_clock_that_is_set_back_by_an_hour_keeps_no_refusal_from_being_told() -> None:
    api, now, live = Events(), [START + timedelta(seconds=PATIENCE_SECONDS)], job()
    refusals, children = Refusals(api, lambda: now[0]), Children({ObjectRef.of(live): live})
    await refusals.of(children)
    now[0] -= timedelta(hours=1)
    told = await refusals.of(children)
    assert (told.sentences, told.again) == ({"j": "no room"}, AGAIN_SECONDS)
    assert len(api.asked) == 2, "an answer of the time before is not believed for an hour"


class LargeEvents(Events):
    """An API server whose events a user has written, with more values than are taken in."""

    async def request(
        self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        await super().request(method, path, body, params=params)
        raise TooLongError("The page of 50 objects has more values than are taken in.")


async def test_events_that_are_too_large_tell_nothing_and_fail_nothing() -> None:
    api, live = LargeEvents(), job()
    refusals = Refusals(api, lambda: START + timedelta(seconds=PATIENCE_SECONDS))
    for _ in range(2):
        told = await refusals.of(Children({ObjectRef.of(live): live}))
        assert (told.sentences, told.again) == ({}, AGAIN_SECONDS)
    assert len(api.asked) == 1
