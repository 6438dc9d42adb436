"""A real Envoy before a server that speaks gRPC, and a real client of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from slipway.envoy import GRPC_CODE, ProxyConfig, Split, route_file, to_text
from tests.unit.envoy.pod import DEADLINE, Pod, eventually, mount, running_pod
from tests.unit.envoy.test_counters import read

SERVER = {"runtime": "Container", "container": {"image": "mine:1", "readiness": {"grpc": {}}}}
INFER, STREAM = "/inference.Service/Infer", "/inference.Service/Stream"
TOKEN = "between-us"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
"""grpc.health.v1.HealthCheckResponse with its first field, the status, 1 and 2."""


@dataclass
class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Gives back each message; fails where it is told so."""

    health: bytes = SERVING
    asked: list[bytes] = field(default_factory=list)
    server: Any = None

    async def stop(self) -> None:
        await self.server.stop(None)

    def service(self, call: Any) -> Any:
        if call.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(self._check)
        if call.method == INFER:
            return grpc.unary_unary_rpc_method_handler(self._infer)
        return (
            grpc.stream_stream_rpc_method_handler(self._stream) if call.method == STREAM else None
        )

    async def _check(self, _request: bytes, _context: Any) -> bytes:
        return self.health

    async def _infer(self, request: bytes, context: Any) -> bytes:
        self.asked.append(request)
        if request == b"refuse":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such input")
        if request == b"fail":
            await context.abort(grpc.StatusCode.INTERNAL, "no memory")
        return request

    async def _stream(self, requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request


@asynccontextmanager
async def served(config: ProxyConfig) -> AsyncIterator[Echo]:
    """Listen where Envoy expects the server."""
    server = grpc.aio.server()
    echo = Echo(server=server)
    server.add_generic_rpc_handlers((echo,))
    server.add_insecure_port(f"127.0.0.1:{config.upstream.inference_port}")
    await server.start()
    yield echo
    await echo.stop()


@asynccontextmanager
async def running(folder: Path, **fields: Any) -> AsyncIterator[tuple[Pod, Echo, Any]]:
    """Run a pod with its server; yield them with a client's channel to Envoy."""
    async with running_pod(folder, server=SERVER, **fields) as pod, served(pod.config) as echo:
        await eventually(pod.ready, "the pod is ready")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{pod.config.http_port}") as channel:
            yield pod, echo, channel


async def test_the_pod_is_ready_while_the_health_service_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as (pod, echo, _):
        echo.health = NOT_SERVING
        await eventually(pod.unready, "the pod is unready")


async def test_calls_are_answered_and_fail_as_the_server_says(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, channel):
        infer = channel.unary_unary(INFER)
        assert await infer(b"x" * 100_000, timeout=DEADLINE) == b"x" * 100_000
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer(b"refuse", timeout=DEADLINE)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == "no such input"


async def test_an_analysis_sees_the_calls_that_failed_by_the_servers_fault(tmp_path: Path) -> None:
    async with running(tmp_path) as (pod, echo, channel):
        infer = channel.unary_unary(INFER)
        for message in (b"1", b"refuse", b"fail"):
            await asyncio.gather(infer(message, timeout=DEADLINE), return_exceptions=True)
        sample = await read(pod)
        assert (sample.counters.requests, sample.counters.errors) == (3, 1)
        page = (await pod.get(pod.config.ops_port, "/metrics"))[1]
        for code in (0, 3, 13):
            series = f'envoy_cluster_grpc{{envoy_cluster_name="torchserve",{GRPC_CODE}="{code}"'
            assert series in page.replace('slipway_model="iris",', "")
        await echo.stop()
        await asyncio.gather(infer(b"1", timeout=DEADLINE), return_exceptions=True)
        assert (await read(pod)).counters.errors == 2


async def test_a_stream_is_answered_while_it_is_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, channel):
        call = channel.stream_stream(STREAM)(timeout=DEADLINE)
        for message in (b"one", b"two", b"three"):
            await call.write(message)
            assert await call.read() == message
        await call.done_writing()
        assert await call.read() == grpc.aio.EOF


async def test_the_other_slot_is_asked_by_grpc_too(tmp_path: Path) -> None:
    for name in ("stable", "new"):
        (tmp_path / name).mkdir()
    async with (
        running(tmp_path / "stable", forward_token=TOKEN) as (stable, _, channel),
        running(tmp_path / "new", forward_token=TOKEN) as (new, candidate, _),
    ):
        split = Split(target=f"127.0.0.1:{new.config.http_port}", weight=100)
        mount(Path(stable.config.routes_folder), to_text(route_file(stable.config, split)))
        infer = channel.unary_unary(INFER)

        async def forwards() -> bool:
            assert await infer(b"1", timeout=DEADLINE) == b"1"
            return bool(candidate.asked)

        await eventually(forwards, "the other slot is asked")
