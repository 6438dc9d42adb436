"""kopf before an API server that answers watches as it should not: the operator goes on."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration

from slipway.controller.intake import kopf_runs, watching
from slipway.controller.intake.kopf_handlers import Backoffs, make_settings
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.intake.watching import Watching
from slipway.controller.intake.worth_listing import LISTED_BY_OWNERS
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.answers.response import MOST_ANSWER_BYTES
from slipway.kube.client import Client
from slipway.kube.connection import Connection
from slipway.kube.resources import OWN, TRAINING_JOBS
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
        kinds = [_kind(one.plural, one.kind) for one in OWN]
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

    async def run(self) -> None:
        await self._watching.run(self._connection, self.sweeper, self.stop)

    async def seen(self, *names: str) -> None:
        """Wait until these TrainingJobs and no others are known."""
        await until(lambda: {ref.name for ref in self.cache.refs(TRAINING_JOBS.kind)} == set(names))


@asynccontextmanager
async def playing(server: ApiServer) -> AsyncIterator[Scene]:
    """Run the watches before a server, whatever else they do to this event loop."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(application) as served:
        configuration = Configuration(host=str(served.make_url("")).rstrip("/"))
        connection = Connection(configuration, lambda *_: None, in_cluster=False)
        scene = Scene(server, connection)
        watches = asyncio.create_task(scene.run())
        sweeping = asyncio.create_task(scene.sweeper.run(3600))
        try:
            yield scene
            assert not watches.done(), "the watches go on"
            assert not sweeping.done(), "the sweeper goes on"
            scene.stop.set()
            await asyncio.wait_for(watches, 30)
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


async def test_a_watch_that_has_expired_each_time_has_its_collection_listed_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    def waits() -> Any:
        for wait in (0.01, 0.02, 3600.0):
            asked.append(wait)
            yield wait

    monkeypatch.setattr(watching, "_waits", waits)
    server = ApiServer()
    server.answer = broken(410)
    async with playing(server) as scene:
        await scene.seen("a")
        await until(lambda: asked.count(3600.0) == len(OWN))
        assert server.requests["watch", JOBS] == 4, "the first listing and three others"


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
