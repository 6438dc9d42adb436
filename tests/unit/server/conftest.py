"""Archives made of a few lines, and a server that serves one as its command line does."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

PROJECT = Path(__file__).parents[3] / "images/python"
PYTHONPATH = os.pathsep.join(map(str, (PROJECT / "src", PROJECT / "handlers")))
"""`ts` is on the path of the server's processes only: the tests' own `ts` is TorchServe's."""
START_SECONDS = 60.0


def manifest(handler: str = "handler.py", **model: str) -> dict[str, Any]:
    told = {"modelName": "echo", "modelVersion": "1.0", "handler": handler, **model}
    return {"runtime": "python", "model": told}


def write_archive(path: Path, files: Mapping[str, str], **model: str) -> Path:
    """Write an archive with a manifest that names ``handler.py``, or what ``model`` says."""
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest(**model)))
        for name, text in files.items():
            bundle.writestr(name, text)
    return path


@dataclass
class Running:
    """A server in a process of its own."""

    process: asyncio.subprocess.Process
    ports: Sequence[int]
    session: aiohttp.ClientSession
    log: Path

    def url(self, path: str, door: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[door]}{path}"

    async def post(self, value: Any, path: str = "/predictions/echo") -> tuple[int, str]:
        async with self.session.post(self.url(path), json=value) as answer:
            return answer.status, await answer.text()

    async def is_ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self.session.get(self.url("/ping")) as answer:
                return answer.status == 200
        return False

    async def wait_until_ready(self) -> None:
        async def is_ready() -> bool:
            assert self.process.returncode is None, self.log.read_text()
            return await self.is_ready()

        await eventually(is_ready)

    async def page(self) -> list[str]:
        """Return the lines of the metrics page."""
        async with self.session.get(self.url("/metrics", 2)) as page:
            return (await page.text()).splitlines()

    async def has_begun(self) -> bool:
        """Tell whether a worker has been given a batch."""
        return any(line.startswith("QueueTime{") for line in await self.page())

    async def waiting(self) -> int:
        """Return how many requests wait for a worker."""
        async with self.session.get(self.url("/models/echo", 1)) as told:
            status = (await told.json())[0]["jobQueueStatus"]
        return int(status["pendingRequests"])

    def workers(self) -> list[int]:
        """Return the process IDs of the processes that the server started, and theirs."""
        return [int(pid) for pid in _children(self.process.pid)]

    async def stop(self) -> int:
        """End it as the kubelet does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), START_SECONDS)


async def eventually(is_so: Callable[[], Awaitable[bool]], seconds: float = START_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not await is_so():
        assert time.monotonic() < deadline, f"not so within {seconds:.0f} s"
        await asyncio.sleep(0.01)


def are_gone(pids: Sequence[int]) -> bool:
    """Tell whether none of the processes is there any more."""
    return not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def _children(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [child, *_children(int(child))]
    return found


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.asynccontextmanager
async def running(archive: Path, *options: str, ready: bool = True) -> AsyncIterator[Running]:
    """Serve an archive until the block ends."""
    ports = _free_ports(3)
    names = ("--port", "--management-port", "--metrics-port")
    doors = [text for name, port in zip(names, ports, strict=True) for text in (name, str(port))]
    log = archive.with_suffix(".log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "slipway_server",
            str(archive),
            *doors,
            *options,
            stderr=output,
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
        )
    async with aiohttp.ClientSession() as session:
        server = Running(process, ports, session, log)
        try:
            if ready:
                await server.wait_until_ready()
            yield server
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "echo.mar"
