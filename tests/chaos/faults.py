"""The faults, and what is promised under each."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx

from dev.cluster import daemon
from tests.chaos.scene import Scene
from tests.harness.control_plane import START_SECONDS


@dataclass(frozen=True)
class Fault:
    """A fault that lasts for some seconds, in the table's words."""

    name: str
    promise: str
    happen: Callable[[Scene, float], Coroutine[Any, Any, None]]


def _stop_api_server(scene: Scene) -> None:
    server = scene.plane.plane.daemons()[1]
    daemon.end(filter(None, [server.process]), grace=10)


async def _api_server_away(scene: Scene, seconds: float) -> None:
    await asyncio.to_thread(_stop_api_server, scene)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(scene.plane.plane.start, START_SECONDS)


async def _compacted(scene: Scene, seconds: float) -> None:
    """Drop etcd's history again and again, with an API server that has to list anew each time."""
    etcd = f"http://127.0.0.1:{scene.plane.plane.etcd_port}/v3/kv"
    async with httpx.AsyncClient(timeout=60) as client:
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(10)
            await asyncio.to_thread(_stop_api_server, scene)
            found = await client.post(f"{etcd}/range", json={"key": "AA=="})
            revision = found.json()["header"]["revision"]
            body = {"revision": revision, "physical": True}
            (await client.post(f"{etcd}/compaction", json=body)).raise_for_status()
            await asyncio.to_thread(scene.plane.plane.start, START_SECONDS)
            await asyncio.sleep(10)


async def _watches_gone(scene: Scene, seconds: float) -> None:
    scene.proxy.watches_gone = True
    scene.proxy.cut()
    await asyncio.sleep(seconds)
    scene.proxy.watches_gone = False


async def _failing(scene: Scene, seconds: float) -> None:
    scene.proxy.failing = 0.2
    await asyncio.sleep(seconds)
    scene.proxy.failing = 0.0


async def _cut(scene: Scene, seconds: float) -> None:
    for _ in range(max(1, int(seconds / 2))):
        scene.proxy.cut()
        await asyncio.sleep(2)


async def _clock_set_back(scene: Scene, seconds: float) -> None:
    await asyncio.sleep(seconds / 4)
    scene.operators.set_clock_back()
    await asyncio.sleep(seconds * 3 / 4)


async def _pods_dropped(scene: Scene, seconds: float) -> None:
    await scene.pods.drop()
    await asyncio.sleep(seconds)
    await scene.pods.heal()


async def _two_leaders(scene: Scene, seconds: float) -> None:
    second = scene.operators.start(SLIPWAY_LEADER_ELECTION="false")
    try:
        await asyncio.to_thread(second.wait_until_leading)
        await asyncio.sleep(10)
    finally:
        await asyncio.to_thread(second.end)
    await asyncio.sleep(max(0.0, seconds - 20))


FAULTS = (
    Fault(
        "the API server is stopped and started",
        "what runs goes on; the operator ends if it cannot renew its Lease, and begins again",
        _api_server_away,
    ),
    Fault(
        "etcd is compacted, and the API server started again",
        "watches begin with a new list, and what went meanwhile is found to be gone",
        _compacted,
    ),
    Fault(
        "every watch is answered 410, as a status or as an event",
        "the operator lists at growing pauses, and goes by what it listed",
        _watches_gone,
    ),
    Fault(
        "20 % of requests are answered 500, or 429 with Retry-After",
        "each request may be repeated; no object waits longer than its own back-off",
        _failing,
    ),
    Fault(
        "every connection is cut each 2 s",
        "watches go on where they were",
        _cut,
    ),
    Fault(
        "the operator's clock is set back by an hour",
        "the Lease goes by time that only passes; no deadline ends anything early",
        _clock_set_back,
    ),
    Fault(
        "the pod network drops what is sent to half of the pods",
        "what cannot be asked is never ended as hanging, and delays nothing else",
        _pods_dropped,
    ),
    Fault(
        "two operators believe to lead for 10 s",
        "both write the same; no child is there twice, no status goes back",
        _two_leaders,
    ),
)
