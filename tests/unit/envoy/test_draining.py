"""The pods' preStop hook, against the Envoy that it is made for."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.unit.envoy.pod import DEADLINE, Pod, eventually, running_pod


async def start_drain(pod: Pod, longest: int, answer: int = 0) -> asyncio.subprocess.Process:
    settings = {
        "SLIPWAY_ENVOY_ADMIN": f"http://127.0.0.1:{pod.config.hooks_port}",
        "SLIPWAY_DRAIN_MIN_SECONDS": "0",
        "SLIPWAY_DRAIN_SECONDS": str(longest),
        "SLIPWAY_DRAIN_ANSWER_SECONDS": str(answer),
    }
    command = [sys.executable, "-m", "slipway_runtime.drain"]
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, **settings})


async def begin_slow_request(pod: Pod) -> asyncio.Task[tuple[int, str]]:
    request = asyncio.create_task(pod.post("/predict?slow=1"))

    async def has_come() -> bool:
        return bool(pod.torchserve.paths)

    await eventually(has_come, "TorchServe has the request")
    return request


async def test_a_drain_waits_for_the_request_in_flight(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        await eventually(pod.ready, "the pod is ready")
        request = await begin_slow_request(pod)
        drain = await start_drain(pod, longest=600)
        await eventually(pod.unready, "the pod has left the endpoints")
        assert drain.returncode is None
        assert not request.done()
        pod.torchserve.release.set()
        assert (await request)[0] == 200
        assert await asyncio.wait_for(drain.wait(), DEADLINE) == 0


async def test_scrapes_and_probes_do_not_hold_a_drain_up(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        drain = await start_drain(pod, longest=600)
        while drain.returncode is None:
            await pod.get(pod.config.ops_port, "/metrics")
            await pod.get(pod.config.ops_port, "/readyz")
        assert drain.returncode == 0


async def test_a_drain_ends_at_its_longest_time(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        request = await begin_slow_request(pod)
        drain = await start_drain(pod, longest=1)
        assert await asyncio.wait_for(drain.wait(), DEADLINE) == 0
        assert not request.done()
        pod.torchserve.release.set()
        assert (await request)[0] == 200


async def test_requests_that_are_there_at_a_drains_longest_time_are_answered(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, most_at_once=1) as pod:
        requests = [await begin_slow_request(pod), asyncio.create_task(pod.post("/predict?slow=1"))]
        drain = await start_drain(pod, longest=1, answer=600)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(drain.wait(), 4)
        pod.torchserve.release.set()
        assert [status for status, _ in await asyncio.gather(*requests)] == [200, 200]
        assert await asyncio.wait_for(drain.wait(), DEADLINE) == 0


async def test_a_connection_without_a_request_ends_no_later_than_the_longest_time(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path) as pod:
        _, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
        drain = await start_drain(pod, longest=1, answer=600)
        assert await asyncio.wait_for(drain.wait(), DEADLINE) == 0
        writer.close()
