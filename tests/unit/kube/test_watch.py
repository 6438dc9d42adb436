"""The watch of a collection of children: all of it is seen once, and every change after that."""

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.kube.answers.response import MOST_ANSWER_BYTES
from slipway.kube.resources import CHILDREN
from slipway.kube.watched import watch as module
from slipway.kube.watched.watch import Parts, Watch
from slipway.plan import Manifest

SERVICES = next(one for one in CHILDREN if one.kind == "Service")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def service(name: str, version: int) -> Manifest:
    meta = {"namespace": "n", "name": name, "uid": name, "resourceVersion": str(version)}
    return {"metadata": meta}


def page(*items: Manifest, version: int = 10, more: str = "") -> Answer:
    meta = {"resourceVersion": str(version), "continue": more}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "ServiceList", "metadata": meta, "items": list(items)})

    return answer


def events(*changes: tuple[str, Manifest], cut: int = 0) -> Answer:
    """Answer a watch with these events, in pieces of ``cut`` bytes, and end it."""
    text = b"".join(json.dumps({"type": t, "object": o}).encode() + b"\n" for t, o in changes)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        step = cut or len(text)
        for start in range(0, len(text), step):
            await response.write(text[start : start + step])
        return response

    return answer


def refusal(status: int) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Status", "message": "why"}, status=status)

    return answer


class Scene:
    """An API server that gives its answers in turn, and then leaves a watch open."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.queries: list[dict[str, str]] = []
        self.seen: list[tuple[str, str]] = []
        self.listings = 0
        self.skipped: list[str] = []
        self.through = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if not self.answers:
            self.through.set()
            await asyncio.Event().wait()
        return await self.answers.pop(0)(request)

    def take(self, change: str, obj: Manifest) -> None:
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "Service")
        self.seen.append((change, obj["metadata"]["name"]))

    def listed(self, path: str) -> None:
        assert path == "/api/v1/services"
        self.listings += 1

    async def run(self, *answers: Answer, parts: Parts | None = None) -> None:
        """Run a watch until it has had all the answers."""
        self.answers = list(answers)
        application = web.Application()
        application.router.add_get("/api/v1/services", self.handle)
        server = TestServer(application)
        await server.start_server()
        async with aiohttp.ClientSession() as session:
            url = str(server.make_url("/")).rstrip("/")
            watch = Watch(session, url, (SERVICES, ""), "a=b", 120, parts, self.skipped.append)
            running = asyncio.create_task(watch.run(self.take, self.listed))
            await asyncio.wait_for(self.through.wait(), 120)
            running.cancel()
        await server.close()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(module, "_WAITS", (0.0,))
    return Scene()


@pytest.fixture
def waits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses that a watch makes, each of which passes at once."""
    monkeypatch.setattr(module, "_WAITS", (0.1, 1.0, 30.0))
    monkeypatch.setattr(module, "_SHORTEST_SECONDS", 3600.0)
    sleep, made = asyncio.sleep, list[float]()

    async def pause(seconds: float) -> None:
        if seconds:
            made.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    return made


async def test_a_collection_that_is_not_there_is_asked_for_ever_less_often(
    scene: Scene, waits: list[float]
) -> None:
    await scene.run(*[refusal(404)] * 4)
    assert waits == [0.1, 1.0, 30.0, 30.0]


async def test_a_watch_that_ends_at_once_is_begun_again_ever_less_often(
    scene: Scene, waits: list[float]
) -> None:
    await scene.run(page(), *[events(("BOOKMARK", of("", 50)))] * 3)
    assert waits == [0.1, 1.0, 30.0]


async def test_a_watch_that_went_on_for_its_time_is_begun_again_at_once(
    scene: Scene, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHORTEST_SECONDS", 0.0)
    await scene.run(page(), *[events(("BOOKMARK", of("", 50)))] * 3)
    assert waits == []


def of(name: str, version: int) -> Any:
    return {"apiVersion": "v1", "kind": "Service", **service(name, version)}


async def test_what_is_there_is_seen_page_by_page_and_then_each_change(scene: Scene) -> None:
    await scene.run(
        page(service("a", 3), more="next"),
        page(service("b", 4)),
        events(("MODIFIED", of("a", 11)), ("DELETED", of("b", 12))),
    )
    assert scene.seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert scene.listings == 1
    first, second, watch, again = scene.queries
    assert (first["labelSelector"], first["limit"], second["continue"]) == ("a=b", "100", "next")
    assert (watch["resourceVersion"], watch["allowWatchBookmarks"]) == ("10", "true")
    assert again["resourceVersion"] == "12"


async def test_large_objects_are_listed_a_few_at_a_time(scene: Scene) -> None:
    large = {**service("large", 3), "data": "x" * MOST_ANSWER_BYTES}
    await scene.run(page(large), page(large), page(service("a", 3), more="next"), page(large))
    sizes = [int(query["limit"]) for query in scene.queries]
    assert (sizes[:5], scene.seen[:1]) == ([100, 12, 1, 2, 1], [("ADDED", "a")])


def dense_page(*names: str, more: str = "") -> Answer:
    """Answer with objects as a user may write them: few bytes, and very many values in Python."""
    rules = f"[{','.join(['{}'] * 100_001)}]"
    items = [{**service(name, 3), "spec": {"ingress": "HERE"}} for name in names]
    whole = {"metadata": {"resourceVersion": "10", "continue": more}, "items": items}
    text = json.dumps(whole).replace('"HERE"', rules)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    return answer


async def test_objects_of_very_many_values_are_listed_one_at_a_time(scene: Scene) -> None:
    many = dense_page(*map(str, range(12)))
    tracemalloc.start()
    await scene.run(many, many, dense_page("a", more="next"), page(service("b", 4)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sizes = [int(query.get("limit", 0)) for query in scene.queries]
    assert (sizes[:4], scene.seen) == ([100, 12, 1, 2], [("ADDED", "a"), ("ADDED", "b")])
    assert peak < 40 << 20, "12 objects of 100,000 empty rules each would take twice as much"


async def test_after_large_objects_there_are_as_many_at_a_time_as_before(scene: Scene) -> None:
    large = {**service("large", 3), "data": "x" * MOST_ANSWER_BYTES}
    small = [page(service(str(number), 3), more="next") for number in range(4)]
    await scene.run(page(large), *small, page(service("last", 3)))
    sizes = [int(query["limit"]) for query in scene.queries if "limit" in query]
    assert sizes == [100, 12, 24, 48, 96, 100]


@pytest.mark.parametrize(
    "odd",
    [
        *("null", "[]", "{}", '"x"', '{"metadata": null}', '{"metadata": ["x"]}'),
        '{"metadata": {"resourceVersion": "9"}, "items": ["x"]}',
    ],
)
async def test_a_list_of_something_in_between_is_asked_for_again(scene: Scene, odd: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=odd)

    await scene.run(answer, page(service("a", 3)))
    assert (scene.seen, scene.listings) == ([("ADDED", "a")], 1)


@pytest.mark.parametrize(
    "odd",
    [
        *("null", "[]", "{}", '{"type": "ADDED"}', '{"type": "ADDED", "object": {}}'),
        *('{"type": "ERROR", "object": []}', '{"type": "ADDED", "object": {"metadata": ["x"]}}'),
    ],
)
async def test_an_event_of_something_in_between_ends_no_more_than_the_watch(
    scene: Scene, odd: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=f"{odd}\n")

    await scene.run(page(), answer, events(("ADDED", of("a", 11))))
    assert (scene.seen, scene.listings) == ([("ADDED", "a")], 1)


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": {"resourceVersion": "11"}},
        {"metadata": {"namespace": "n", "name": "", "resourceVersion": "11"}},
        {"metadata": {"namespace": "n", "name": ["x"], "resourceVersion": "11"}},
        {"metadata": {"name": "x", "resourceVersion": "11"}},
    ],
)
async def test_what_has_no_name_is_skipped_and_counted_and_the_watch_goes_on(
    scene: Scene, odd: Manifest
) -> None:
    event = {"apiVersion": "v1", "kind": "Service", **odd}
    await scene.run(
        page(odd, service("a", 3)),
        events(("ADDED", event), ("DELETED", event), ("ADDED", of("b", 12))),
    )
    assert scene.seen == [("ADDED", "a"), ("ADDED", "b")]
    assert (scene.listings, scene.skipped) == (1, ["Service"] * 3)
    assert scene.queries[-1]["resourceVersion"] == "12", "it goes on behind what it skipped"


async def test_an_event_whose_object_has_no_kind_is_skipped(scene: Scene) -> None:
    await scene.run(page(), events(("ADDED", service("x", 11)), ("ADDED", of("b", 12))))
    assert (scene.seen, scene.skipped) == ([("ADDED", "b")], ["Service"])


async def test_events_are_whole_however_the_stream_is_cut(scene: Scene) -> None:
    long = {**of("long", 11), "data": "x" * 100_000}
    await scene.run(page(), events(("ADDED", long), ("ADDED", of("b", 12)), cut=997))
    assert scene.seen == [("ADDED", "long"), ("ADDED", "b")]


async def test_a_bookmark_moves_the_place_from_which_it_goes_on(scene: Scene) -> None:
    await scene.run(page(), events(("BOOKMARK", of("", 50))))
    assert scene.seen == []
    assert scene.queries[-1]["resourceVersion"] == "50"


async def test_a_history_that_is_gone_makes_it_list_again(scene: Scene) -> None:
    gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
    await scene.run(page(), events(("ERROR", gone)), page(service("a", 20), version=20))
    assert scene.listings == 2
    assert scene.seen == [("ADDED", "a")]
    assert scene.queries[-1]["resourceVersion"] == "20"


async def test_a_server_that_fails_is_asked_again_from_where_it_was(scene: Scene) -> None:
    await scene.run(refusal(503), page(version=7), refusal(500), refusal(403))
    assert scene.listings == 1
    assert scene.queries[-1]["resourceVersion"] == "7"


async def test_what_is_listed_in_parts_is_watched_whole_from_the_first_part_on(
    scene: Scene,
) -> None:
    parts = ({"labelSelector": "a=b,c=d"}, {"labelSelector": "a=b,!c"})
    answers = (page(service("a", 3), version=10), page(service("b", 11), version=12))
    await scene.run(*answers, events(("MODIFIED", of("a", 11))), parts=lambda: parts)
    assert scene.seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a")]
    assert scene.listings == 1
    first, second, watch, _ = scene.queries
    assert [first["labelSelector"], second["labelSelector"]] == ["a=b,c=d", "a=b,!c"]
    assert (watch["labelSelector"], watch["resourceVersion"]) == ("a=b", "10")


async def test_a_listing_that_fails_at_a_later_part_begins_anew(scene: Scene) -> None:
    parts = ({"labelSelector": "x"}, {"labelSelector": "y"})
    await scene.run(page(), refusal(500), page(), page(version=20), parts=lambda: parts)
    assert [query["labelSelector"] for query in scene.queries] == ["x", "y", "x", "y", "a=b"]
    assert scene.listings == 1
