"""The store's reachability: any answer counts, and one answer is believed for a while."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from slipway.controller.readers.store_probe import StoreProbe
from slipway.settings import StoreSettings
from tests.harness.ports import free_port


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def refusing_store() -> TestServer:
    server = TestServer(web.Application())
    await server.start_server()
    return server


async def test_a_store_that_refuses_the_operator_is_reachable() -> None:
    server = await refusing_store()
    store = StoreSettings(endpoint=str(server.make_url("/")))
    assert (await StoreProbe(store, in_cluster=True).state()).reachable
    await server.close()


async def test_a_store_that_is_down_is_told_with_its_address() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    state = await StoreProbe(StoreSettings(endpoint=endpoint), in_cluster=True).state()
    assert not state.reachable
    assert endpoint in state.message


async def test_an_answer_is_believed_for_the_set_time() -> None:
    server, clock = await refusing_store(), Clock()
    store = StoreSettings(endpoint=str(server.make_url("/")), probe_seconds=10)
    probe = StoreProbe(store, in_cluster=True, clock=clock, pauses=(0.0,))
    assert (await probe.state()).reachable
    await server.close()
    clock.now = 9.0
    assert (await probe.state()).reachable
    clock.now = 10.0
    async with asyncio.timeout(120):
        state = await probe.state()
        while state.reachable:
            await asyncio.sleep(0.01)
            state = await probe.state()
    await probe.aclose()


async def test_a_store_that_answered_and_is_slow_once_or_twice_is_not_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        if len(asked) in (2, 3) and request.transport is not None:
            request.transport.close()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    clock = Clock()
    async with TestServer(app) as server:
        store = StoreSettings(endpoint=str(server.make_url("/")), probe_seconds=10)
        probe = StoreProbe(store, in_cluster=True, clock=clock, pauses=(0.0, 0.0))
        assert (await probe.state()).reachable
        clock.now = 10.0
        async with asyncio.timeout(120):
            while len(asked) < 4:
                assert (await probe.state()).reachable
                await asyncio.sleep(0.01)
        assert (await probe.state()).reachable
        await probe.aclose()
    assert "cannot be reached" not in caplog.text


async def test_outside_of_the_cluster_a_service_name_that_cannot_be_resolved_is_no_fault() -> None:
    store = StoreSettings(endpoint="http://slipway-store.invalid:7480")
    assert (await StoreProbe(store, in_cluster=False).state()).reachable
    assert not (await StoreProbe(store, in_cluster=True).state()).reachable


async def test_without_an_endpoint_nothing_is_asked() -> None:
    assert (await StoreProbe(StoreSettings(endpoint=""), in_cluster=True).state()).reachable
