"""kopf before an API server that answers watches as it should not: the operator goes on."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kopf._cogs.clients import watching as kopf_watching
from kopf._core.reactor.inventory import ResourceMemories
from kubernetes.aio.client import Configuration

from slipway.controller.intake import kopf_runs, served, watching
from slipway.controller.intake.kopf_handlers import Backoffs, make_settings
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.intake.watching import Watching
from slipway.controller.intake.worth_listing import LISTED_BY_OWNERS
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.answers.response import MOST_ANSWER_BYTES
from slipway.kube.client import Client
from slipway.kube.connection import Connection
from slipway.kube.resources import OWN, TRAINING_JOBS, Resource
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.health import WatchHealth
from tests.unit.controller.fakes import training_job

Answer = Callable[[web.Request], Any]
JOBS = TRAINING_JOBS.path("")
GROUP = OWN[0].group
VERSION = OWN[0].version


def refused(status: int) -> Answer:
    """Answer a watch with an HTTP status."""
    return lambda _: web.json_response({"kind": "Status", "code": status}, status=status)


def broken(code: int) -> Answer:
    """Answer a watch with an error among its events."""
    event = {"type": "ERROR", "object": {"kind": "Status", "code": code}}
    return lambda _: web.Response(text=json.dumps(event) + "\n")


def listed(name: str) -> Manifest:
    """Return a TrainingJob as a list contains it."""
    job = training_job(name)
    return {**job, "metadata": {**job["metadata"], "resourceVersion": "7"}}


def _group(name: str, version: str) -> dict[str, Any]:
    told = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [told], "preferredVersion": told}


def _kind(plural: str, kind: str) -> dict[str, Any]:
    names = {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True}
    return {**names, "verbs": ["list", "watch"]}


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class ApiServer:
    """Serves the kinds that the operator watches; ``answer`` is that to each watch of ours."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.jobs = [listed("a")]
        self.served: tuple[Resource, ...] = OWN
        self.requests: Counter[tuple[str, str]] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        watch = "watch" in request.query
        self.requests["watch" if watch else "list", request.path] += 1
        if watch:
            return await self._watch(request)
        return web.json_response(self._found(request.path))

    def _found(self, path: str) -> dict[str, Any]:
        """Answer what kopf asks before it watches, or a list."""
        crds = ("apiextensions.k8s.io", "v1")
        groups = [_group(*crds), _group(GROUP, VERSION)]
        kinds = [_kind(one.plural, one.kind) for one in self.served]
        told: dict[str, dict[str, Any]] = {
            "/api": {"versions": ["v1"]},
            "/api/v1": {"resources": [_kind("namespaces", "Namespace"), _kind("events", "Event")]},
            "/apis": {"groups": groups},
            "/apis/{}/{}".format(*crds): {
                "resources": [_kind("customresourcedefinitions", "CustomResourceDefinition")]
            },
            f"/apis/{GROUP}/{VERSION}": {"resources": kinds},
        }
        return told.get(path) or {"metadata": {"resourceVersion": "9"}, "items": self._items(path)}

    def _items(self, path: str) -> list[Any]:
        return self.jobs if path == JOBS else []

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if self.answer and GROUP in request.path:
            answer: web.StreamResponse = self.answer(request)
            return answer
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response


class Scene:
    """The watches of an operator before such a server."""

    def __init__(self, server: ApiServer, connection: Connection) -> None:
        self.server, self.stop = server, asyncio.Event()
        self.cache = Cache()
        queue = WorkQueue[ObjectRef]()
        unlisted, last = watched_paths(()), watched_paths((), LISTED_BY_OWNERS)
        self.intake = Intake(self.cache, queue, unlisted=unlisted, last=last)
        self.sweeper = Sweeper(Client(connection), self.cache, self.intake, ())
        health = WatchHealth(unlisted, 300)
        self._watching = Watching((), self.intake, health, lambda *_: None, lambda: None)
        self._connection = connection
        self.watches: asyncio.Task[None]

    async def run(self) -> None:
        await self._watching.run(self._connection, self.sweeper, self.stop)

    async def seen(self, *names: str) -> None:
        """Wait until these TrainingJobs and no others are known."""
        await until(lambda: {ref.name for ref in self.cache.refs(TRAINING_JOBS.kind)} == set(names))


@asynccontextmanager
async def playing(server: ApiServer, *, ends: bool = False) -> AsyncIterator[Scene]:
    """Run the watches before a server, whatever else they do to this event loop.

    ``ends``: the test itself has them end.
    """
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application) as served:
        configuration = Configuration(host=str(served.make_url("")).rstrip("/"))
        connection = Connection(configuration, lambda *_: None, in_cluster=False)
        scene = Scene(server, connection)
        watches = scene.watches = asyncio.create_task(scene.run())
        sweeping = asyncio.create_task(scene.sweeper.run(3600))
        try:
            yield scene
            assert ends or not watches.done(), "the watches go on"
            assert not sweeping.done(), "the sweeper goes on"
            scene.stop.set()
            await asyncio.wait_for(watches, 120)
        finally:
            watches.cancel()
            sweeping.cancel()
            await asyncio.gather(watches, sweeping, return_exceptions=True)
            await connection.close()


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait long; kopf would kill the process at once, were it asked to."""
    settings = make_settings()
    settings.process.ultimate_exiting_timeout = settings.process.ultimate_exiting_timeout and 0.0
    monkeypatch.setattr(watching, "make_settings", lambda: settings)
    monkeypatch.setattr(watching, "_waits", lambda: iter(Backoffs(0.01, 0.05)))


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    "answer",
    [*map(refused, (400, 404, 409, 410)), *map(broken, (410, 500, 504))],
    ids=["400", "404", "409", "410", "expired", "internal error", "timeout"],
)
async def test_watches_that_are_answered_with_an_error_end_nothing_and_listings_tell_all(
    answer: Answer,
) -> None:
    server = ApiServer()
    server.answer = answer
    async with playing(server) as scene:
        await scene.seen("a")
        bystander = asyncio.create_task(asyncio.Event().wait())
        begun = server.requests["watch", JOBS]
        server.jobs = [listed("b")]
        await scene.seen("b")
        assert server.requests["watch", JOBS] > begun
        assert not bystander.done(), "kopf cancels nothing that is not its own"
        bystander.cancel()


async def test_a_job_of_a_user_at_which_something_unforeseen_fails_keeps_nobody_waiting() -> None:
    server = ApiServer()
    server.jobs.append({**listed("odd"), "status": {"conditions": ["no object"]}})
    server.jobs.append(listed("b"))
    async with playing(server) as scene:
        await scene.seen("a", "b")
        await asyncio.wait_for(scene.intake.synced.wait(), 60)


def remembered() -> list[Any]:
    """Return what kopf remembers of objects in this process."""
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, ResourceMemories)]
    return [memory for one in found for memory in one.iter_all_memories()]


async def test_kopf_remembers_no_object_whose_deletion_its_watch_could_miss() -> None:
    server = ApiServer()
    async with playing(server) as scene:
        await scene.seen("a")
        await asyncio.wait_for(scene.intake.synced.wait(), 60)
        assert remembered() == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses that were asked for; the third one outlasts the test."""
    asked: list[float] = []

    def waits() -> Any:
        for wait in (0.01, 0.02, 3600.0):
            asked.append(wait)
            yield wait

    monkeypatch.setattr(watching, "_waits", waits)
    for name in ("_HEALTHY_SECONDS", "_SHORTEST_SECONDS"):
        monkeypatch.setattr(kopf_runs, name, 3600.0)
    return asked


async def test_a_watch_that_has_expired_each_time_has_its_collection_listed_ever_less_often(
    asked: list[float],
) -> None:
    server = ApiServer()
    server.answer = broken(410)
    async with playing(server) as scene:
        await scene.seen("a")
        await until(lambda: asked.count(3600.0) == len(OWN))
        assert server.requests["watch", JOBS] == 4, "the first listing and three others"


def ended(_: web.Request) -> web.Response:
    """Answer a watch with no event, and end it."""
    return web.Response(text="")


async def test_a_watch_that_ends_at_once_is_begun_again_ever_less_often(
    asked: list[float],
) -> None:
    server = ApiServer()
    server.answer = ended
    async with playing(server) as scene:
        await scene.seen("a")
        await until(lambda: asked.count(3600.0) == len(OWN))
        assert server.requests["watch", JOBS] == 4, "the first one and three others"


@pytest.mark.usefixtures("short_waits")
async def test_a_kind_that_is_deleted_and_applied_again_is_watched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kopf looks which kinds there are when it begins, and never again."""
    monkeypatch.setattr(served, "_PAUSE_SECONDS", 0.05)
    server, group = ApiServer(), ("list", f"/apis/{GROUP}/{VERSION}")
    server.answer = broken(410)
    async with playing(server) as scene:
        await scene.seen("a")
        server.served, server.answer = OWN[1:], refused(404)
        begun = server.requests[group]
        await until(lambda: server.requests[group] > begun + 4)
        server.jobs, server.answer, server.served = [listed("b")], None, OWN
        await scene.seen("b")


@pytest.mark.parametrize("asked", ["86400", "Wed, 21 Oct 2037 07:28:00 GMT"])
@pytest.mark.usefixtures("short_waits")
async def test_a_server_that_asks_for_a_day_is_asked_again_within_half_a_minute(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kopf_runs, "_LONGEST_PAUSE", 0.1)
    server = ApiServer()
    answer = {"kind": "Status", "code": 429, "details": {"retryAfterSeconds": 86400}}
    server.answer = lambda _: web.json_response(answer, status=429, headers={"Retry-After": asked})
    async with playing(server) as scene:
        await scene.seen("a")
        await until(lambda: server.requests["watch", JOBS] > 3)
        assert server.requests["list", JOBS] <= 2, "nothing begins anew for it"
        server.answer = None
        begun = server.requests["watch", JOBS]
        await until(lambda: server.requests["watch", JOBS] > begun)


@pytest.mark.parametrize("turns", range(4, 12))
@pytest.mark.usefixtures("short_waits")
async def test_watches_that_are_told_to_end_while_they_begin_anew_end(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch of kopf's drops a cancellation that comes just then, and kopf asks it but once."""
    monkeypatch.setattr(kopf_runs, "_INSIST_SECONDS", 0.2)
    block, scenes = kopf_watching.streaming_block, list[Scene]()

    @asynccontextmanager
    async def telling(**named: Any) -> AsyncIterator[Any]:
        async with block(**named) as waiter:
            yield waiter
            if scenes:
                scenes.pop().stop.set()
                for _ in range(turns):
                    await asyncio.sleep(0)

    monkeypatch.setattr(kopf_watching, "streaming_block", telling)
    server = ApiServer()
    server.answer = broken(410)
    async with playing(server, ends=True) as scene:
        await scene.seen("a")
        scenes.append(scene)
        done, _ = await asyncio.wait({scene.watches}, timeout=120)
        assert done


class ServerOfLargeJobs(ApiServer):
    """Has three TrainingJobs that are too long together, and lists as many as it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        note = {"x": "x" * (MOST_ANSWER_BYTES // 2)}
        self.jobs = [{**listed(name), "status": note} for name in ("a", "b", "c")]
        self.limits: list[int] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        whole = "watch" in request.query or "Partial" in request.headers.get("Accept", "")
        if request.path != JOBS or whole:
            return await super().handle(request)
        self.limits.append(int(request.query["limit"]))
        begin = int(request.query.get("continue", "0"))
        end = begin + self.limits[-1]
        meta = {"resourceVersion": "9", "continue": str(end) if end < len(self.jobs) else ""}
        return web.json_response({"metadata": meta, "items": self.jobs[begin:end]})

    def _items(self, path: str) -> list[Any]:
        return [{"metadata": job["metadata"]} for job in super()._items(path)]


async def test_objects_that_are_too_large_together_are_listed_a_few_at_a_time() -> None:
    server = ServerOfLargeJobs()
    async with playing(server) as scene:
        await scene.seen("a", "b", "c")
    assert server.limits == [100, 12, 1, 2, 1, 2]


async def test_failures_of_an_hour_ago_count_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = kopf_runs.ListingPace(lambda: iter(Backoffs()))
    monkeypatch.setattr(kopf_runs, "_HEALTHY_SECONDS", 3600.0)
    assert [pace._pause("/a") for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]
    assert pace._pause("/b") == 0.0
    monkeypatch.setattr(kopf_runs, "_HEALTHY_SECONDS", -3600.0)
    assert pace._pause("/a") == 0.0


async def test_a_watch_that_went_on_for_a_while_is_begun_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = kopf_runs.WatchPace(lambda: iter(Backoffs()))
    monkeypatch.setattr(kopf_runs, "_SHORTEST_SECONDS", 3600.0)
    assert [pace._pause("/a") for _ in range(4)] == [0.0, 0.0, 1.0, 2.0]
    monkeypatch.setattr(kopf_runs, "_SHORTEST_SECONDS", -3600.0)
    assert pace._pause("/a") == 0.0
