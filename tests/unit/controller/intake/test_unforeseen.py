"""An object at which something unforeseen fails: it is told and counted, and all others go on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.controller.credentials import ClusterFacts
from slipway.controller.intake.sweeper import Sweeper
from slipway.controller.intake.watches import Intake
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.client import Client
from slipway.kube.resources import CHILD_SELECTOR, PODS, TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.watch import Watch
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.objects.following import Follower, Pauses, Tally
from tests.unit.controller.fakes import child, training_job

(POD_KIND,) = PODS
ODD_POD: Manifest = {"containers": [{"name": "c", "env": [{}]}]}
"""The spec of a pod that no API server takes: a variable without a name."""
ODD_STATUS: Manifest = {"conditions": ["no object"]}


def at(obj: Manifest, version: int, **rest: Any) -> Manifest:
    meta = {"uid": obj["metadata"]["name"], **obj["metadata"], "resourceVersion": str(version)}
    return {**obj, "metadata": meta, **rest}


def pod(name: str, version: int, **rest: Any) -> Manifest:
    return at(child(training_job("a"), "Pod", name), version, **rest)


class Scene:
    """An intake with the operator's own metrics."""

    def __init__(self, *unlisted: str) -> None:
        self.cache, self.metrics = Cache(), Metrics()
        self.queue: WorkQueue[ObjectRef] = WorkQueue()
        self.tell: Callable[..., None] = lambda *_: None
        self.intake = Intake(
            self.cache,
            self.queue,
            lambda *change: self.tell(*change),
            unlisted,
            handling=self.metrics.handling,
        )

    def failed(self, kind: str, part: str) -> float:
        """Return how often a part has failed at objects of a kind."""
        labels = {"kind": kind, "part": part}
        return self.metrics.registry.get_sample_value("slipway_object_errors_total", labels) or 0.0

    def names(self, kind: str) -> set[str]:
        """Return the names of what is known of a kind."""
        return {ref.name for ref in self.cache.refs(kind)}

    def version(self, obj: Manifest) -> str | None:
        known = self.cache.get(ObjectRef.of(obj))
        return known["metadata"]["resourceVersion"] if known else None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(scene: Scene, listed: list[Manifest], *events: Manifest) -> AsyncIterator[Any]:
    """Run the watch of pods before an API server that lists some and tells of changes after."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "10"}, "items": listed})
        response = web.StreamResponse()
        await response.prepare(request)
        for obj in events:
            event = {"type": "MODIFIED", "object": obj}
            await response.write(json.dumps(event).encode() + b"\n")
        await asyncio.Event().wait()
        raise AssertionError

    application = web.Application()
    application.router.add_get(POD_KIND.path(""), answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("/")).rstrip("/")
        watch = Watch(session, url, (POD_KIND, ""), CHILD_SELECTOR, 120)
        task = asyncio.create_task(watch.run(scene.intake.seen, lambda _: None))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_goes_on_after_a_child_at_which_something_unforeseen_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    scene.cache.feed(at(training_job("a"), 1))
    listed = [pod("odd", 2, spec=ODD_POD), pod("fine", 3)]
    changes = [pod("odd", 11, spec=ODD_POD), pod("fine", 12), pod("late", 13)]
    async with watched(scene, listed, *changes) as task:
        await until(lambda: task.done() or "late" in scene.names("Pod"))
        assert not task.done(), "the operator would end with its watch"
    assert scene.names("Pod") == {"fine", "late"}
    assert scene.version(pod("fine", 0)) == "12"
    assert scene.failed("Pod", "watch") == 2
    assert "The part watch failed at this object" in caplog.text


async def test_of_what_cannot_be_taken_in_the_version_before_stays_known_until_the_next_one() -> (
    None
):
    scene = Scene()
    scene.intake.seen("ADDED", pod("p", 2, spec={}))
    scene.intake.seen("MODIFIED", pod("p", 3, spec=ODD_POD))
    assert scene.version(pod("p", 0)) == "2"
    assert set(scene.cache.unhandled) == {"p"}
    scene.intake.seen("MODIFIED", pod("p", 4, spec={}))
    assert scene.version(pod("p", 0)) == "4"
    assert scene.cache.unhandled == {}


async def test_where_nothing_can_be_trusted_any_more_the_watch_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()

    def fail(_: object) -> bool:
        raise MemoryError

    monkeypatch.setattr(scene.cache, "feed", fail)
    async with watched(scene, [pod("p", 2)]) as task:
        with pytest.raises(MemoryError):
            await asyncio.wait_for(task, 60)
    assert scene.failed("Pod", "watch") == 0


async def test_whom_a_change_concerns_is_woken_although_it_cannot_be_counted() -> None:
    scene = Scene()

    def fail(*_: object) -> None:
        raise RuntimeError("nobody thought of that")

    scene.tell = fail
    scene.intake.seen("ADDED", at(training_job("a"), 1))
    assert (await asyncio.wait_for(scene.queue.get(), 60)).name == "a"
    assert scene.failed("TrainingJob", "metrics") == 1


class Listing:
    """A client that lists what it is told to."""

    def __init__(self, uids: set[str], version: int) -> None:
        self.answer = dict.fromkeys(uids, version), version

    async def uids(self, *_: object) -> tuple[dict[str, int], int]:
        return self.answer


async def test_who_begins_does_not_wait_for_an_object_that_it_cannot_take_in() -> None:
    path = TRAINING_JOBS.path("")
    scene = Scene(path)
    sweeper = Sweeper(
        cast(Client, Listing({"uid-of-a", "uid-of-odd"}, 9)), scene.cache, scene.intake, ()
    )
    scene.intake.seen(None, at(training_job("a"), 1))
    scene.intake.seen(None, at(training_job("odd"), 2, status=ODD_STATUS))
    sweeping = asyncio.create_task(sweeper.run(3600))
    sweeper.listed(path)
    await asyncio.wait_for(scene.intake.synced.wait(), 60)
    sweeping.cancel()
    assert scene.names("TrainingJob") == {"a"}


async def test_an_object_that_cannot_be_taken_in_counts_as_an_owner_until_it_is_gone() -> None:
    scene = Scene()
    facts = ClusterFacts(cast(Client, None), scene.cache, "store")
    odd = at(training_job("odd"), 2, status=ODD_STATUS)
    uid = odd["metadata"]["uid"]
    scene.intake.seen("ADDED", odd)
    assert facts.owners("default") == {uid}
    assert facts.owners("other") == frozenset()
    for there, version, owners in (({uid}, 9, {uid}), (set(), 1, {uid}), (set(), 9, set())):
        listing = cast(Client, Listing(there, version))
        await Sweeper(listing, scene.cache, scene.intake, ()).sweep(TRAINING_JOBS, "")
        assert facts.owners("default") == owners
    scene.intake.seen("ADDED", odd)
    scene.intake.seen("DELETED", odd)
    assert facts.owners("default") == frozenset()


async def test_a_sweep_goes_on_after_an_object_at_which_something_unforeseen_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()
    for name in ("odd", "other"):
        scene.cache.feed(pod(name, 2))
    removed: list[str] = []
    remove = scene.cache.remove

    def fail_once(ref: ObjectRef, *how: Any) -> bool:
        removed.append(ref.name)
        if len(removed) == 1:
            raise RuntimeError("nobody thought of that")
        return remove(ref, *how)

    monkeypatch.setattr(scene.cache, "remove", fail_once)
    sweeper = Sweeper(cast(Client, Listing(set(), 9)), scene.cache, scene.intake, ())
    await sweeper.sweep(POD_KIND, "")
    assert set(removed) == {"odd", "other"}
    assert len(scene.names("Pod")) == 1
    assert scene.failed("Pod", "comparison") == 1
    await sweeper.sweep(POD_KIND, "")
    assert scene.names("Pod") == set()


async def test_metrics_are_served_of_all_but_the_object_at_which_something_fails() -> None:
    scene = Scene()
    for name in ("odd", "fine"):
        scene.cache.feed(at(training_job(name), 1))

    def count(obj: Manifest) -> list[tuple[str, int]]:
        if obj["metadata"]["name"] == "odd":
            raise RuntimeError("nobody thought of that")
        return [("all", 1)]

    tally = Tally(count)
    versions = lambda: scene.cache.uids("TrainingJob")  # noqa: E731
    follower = Follower(versions, scene.cache.get, [tally], scene.metrics.handling)
    for _ in range(2):
        await follower.renew(Pauses())
        assert tally.sums() == {"all": 1}
    assert scene.failed("TrainingJob", "metrics") == 1, "it is not tried again as it is"
