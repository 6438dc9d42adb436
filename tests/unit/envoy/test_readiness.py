from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from slipway.envoy import DEATHS_PATH
from tests.harness.ports import free_ports
from tests.unit.envoy.pod import Pod, eventually, running_pod


async def test_a_pod_is_ready_only_while_all_workers_are(tmp_path: Path) -> None:
    async with running_pod(tmp_path, workers=2) as pod:
        await eventually(pod.ready, "the pod is ready with both workers READY")
        pod.torchserve.states = ["READY", "UNLOADING"]
        await eventually(pod.unready, "the pod is not ready with one of two workers")
        pod.torchserve.states = ["READY", "LOADING", "READY"]
        await eventually(pod.ready, "the pod is ready with two of three workers READY")
        pod.torchserve.states = []
        await eventually(pod.unready, "the pod is not ready with no worker")


async def test_it_counts_sixty_four_workers(tmp_path: Path) -> None:
    async with running_pod(tmp_path, workers=64) as pod:
        await eventually(pod.ready, "the pod is ready with all workers READY")
        pod.torchserve.states[63] = "UNLOADING"
        await eventually(pod.unready, "the pod is not ready with 63 of 64 workers")


async def test_a_draining_pod_is_not_ready_but_still_answers(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        await eventually(pod.ready, "the pod is ready")
        assert await connection_header(pod) is None
        await pod.admin("/healthcheck/fail")
        assert not await pod.ready()
        assert (await pod.post("/predict"))[0] == 200
        assert await connection_header(pod) == "close"
        assert (await pod.get(pod.config.ops_port, "/livez/torchserve"))[0] == 200


async def connection_header(pod: Pod) -> str | None:
    url = pod.url(pod.config.http_port, "/predict")
    async with aiohttp.ClientSession() as session, session.post(url, data=b"1") as answer:
        return answer.headers.get("connection")


async def test_envoy_is_alive_without_torchserve(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        pod.torchserve.states = []
        assert await pod.get(pod.config.ops_port, "/livez") == (
            200,
            '{"code":200,"message":"live","type":"Slipway"}\n',
        )


@pytest.mark.parametrize("path", ["/stats", "/models", "/predictions/iris", "/quitquitquit", "/"])
async def test_the_ops_port_reaches_nothing_else(tmp_path: Path, path: str) -> None:
    async with running_pod(tmp_path) as pod:
        assert (await pod.get(pod.config.ops_port, path))[0] == 404


async def test_the_page_about_workers_deaths_is_offered_to_readers_alone(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def page(_: web.Request) -> web.Response:
        return web.json_response({"deaths": 0})

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with running_pod(tmp_path, deaths_port=port) as pod:
            assert await pod.get(pod.config.ops_port, DEATHS_PATH) == (200, '{"deaths": 0}')
            assert (await pod.get(pod.config.http_port, DEATHS_PATH))[0] == 404
    finally:
        await runner.cleanup()
