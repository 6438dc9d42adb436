"""Answers of the API server as kopf reads them: lists as JSON, and watches line by line."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.kube.answers.response import BoundedResponse
from slipway.manifests import UNREADABLE
from tests.unit.kube.test_bounds import DEEP, job, text_of

EVENTS = [text_of("event", value) for value in ("1", *DEEP, "2")]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session with a server that has a list at /list and a watch at /watch."""

    async def listed(_: web.Request) -> web.Response:
        return web.Response(body=text_of("list", DEEP[0]), content_type="application/json")

    async def watched(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        text = b"\n".join(EVENTS)
        for start in range(0, len(text), 997):
            await response.write(text[start : start + 997])
        return response

    application = web.Application()
    application.router.add_get("/list", listed)
    application.router.add_get("/watch", watched)
    server = TestServer(application)
    await server.start_server()
    async with aiohttp.ClientSession(server.make_url("/"), response_class=BoundedResponse) as found:
        yield found
    await server.close()


def specs(*objects: Any) -> list[Any]:
    """Return what is read of specs: their value, or that they are not read."""
    return [UNREADABLE if UNREADABLE in one["spec"] else one["spec"]["x"] for one in objects]


async def test_a_list_is_read_but_for_what_is_too_deep_in_it(
    session: aiohttp.ClientSession,
) -> None:
    async with session.get("/list") as answer:
        found = await answer.json()
    assert specs(*found["items"]) == [1, UNREADABLE, 1]
    assert found["items"][1]["metadata"] == job("job")["metadata"]


@pytest.mark.parametrize("chunked", [True, False], ids=["in chunks", "by lines"])
async def test_each_event_is_read_but_for_what_is_too_deep_in_it(
    session: aiohttp.ClientSession, chunked: bool
) -> None:
    async with session.get("/watch") as answer:
        lines = answer.content.iter_chunked(1 << 20) if chunked else answer.content
        text = b"".join([line async for line in lines])
    events = [json.loads(line) for line in text.splitlines()]
    assert specs(*(event["object"] for event in events)) == [1, UNREADABLE, UNREADABLE, 2]
