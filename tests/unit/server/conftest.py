"""Archives made of a few lines, and a server that serves one as its command line does."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.ports import free_ports
from tests.harness.trees import tree

PROJECT = Path(__file__).parents[3] / "images/python"
PYTHONPATH = os.pathsep.join(map(str, (PROJECT / "src", PROJECT / "handlers")))
"""`ts` is on the path of the server's processes only: the tests' own `ts` is TorchServe's."""
START_SECONDS = 180.0
ECHO = (Path(__file__).parent / "archives/echo.py").read_text()


def manifest(handler: str = "handler.py", **model: str) -> dict[str, Any]:
    told = {"modelName": "echo", "modelVersion": "1.0", "handler": handler, **model}
    return {"runtime": "python", "model": told}


def write_archive(path: Path, files: Mapping[str, str | bytes], **model: str) -> Path:
    """Write an archive with a manifest that names ``handler.py``, or what ``model`` says."""
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest(**model)))
        for name, text in files.items():
            bundle.writestr(name, text)
    return path


@dataclass
class Served:
    """A server's process, its ports, and the file of what it prints."""

    process: subprocess.Popen[bytes]
    ports: Sequence[int]
    log: Path


@dataclass
class Running:
    """A server, and a client of its."""

    served: Served
    session: aiohttp.ClientSession

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.served.log.read_text(errors="replace")

    def url(self, path: str, door: int = 0) -> str:
        return f"http://127.0.0.1:{self.served.ports[door]}{path}"

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
            assert self.served.process.poll() is None, self.log
            return await self.is_ready()

        await eventually(is_ready)

    async def page(self) -> list[str]:
        """Return the lines of the metrics page."""
        async with self.session.get(self.url("/metrics", 2)) as page:
            return (await page.text()).splitlines()

    async def has_begun(self) -> bool:
        """Tell whether a worker has been given a batch."""
        return any(line.startswith("QueueTime{") for line in await self.page())

    async def value(self, name: str) -> float:
        """Return the value of a metric that has one series; 0 where it has none."""
        lines = [line for line in await self.page() if line.startswith(f"{name}{{")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    async def batches(self) -> float:
        """Return how many batches workers have been given."""
        return await self.value("ts_batch_size_count")

    async def given(self, count: float) -> bool:
        """Tell whether workers have been given so many batches."""
        return await self.batches() == count

    async def deaths(self) -> float:
        """Return how many workers have ended."""
        return await self.value("slipway_server_worker_deaths_total")

    async def told_deaths(self) -> dict[str, Any]:
        """Return the page about workers' deaths."""
        async with self.session.get(self.url("/deaths", 1)) as told:
            page: dict[str, Any] = await told.json()
            return page

    async def has_died(self) -> bool:
        """Tell whether a worker has ended."""
        return await self.deaths() > 0

    async def waiting(self, count: int) -> bool:
        """Tell whether so many requests wait for a worker."""
        async with self.session.get(self.url("/models/echo", 1)) as told:
            status = (await told.json())[0]["jobQueueStatus"]
        return int(status["pendingRequests"]) == count

    async def refuses(self) -> bool:
        """Tell whether new connections are refused."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.served.ports[0])
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    def resident(self) -> int:
        """Return the front's memory, in bytes."""
        pages = Path(f"/proc/{self.served.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def workers(self) -> list[int]:
        """Return the process IDs of the processes that the server started, and theirs."""
        _, *started = tree(self.served.process.pid)
        return started

    async def stop(self) -> int:
        """End it as the kubelet does; return its exit code."""
        self.served.process.send_signal(signal.SIGTERM)
        return await self.end()

    async def end(self) -> int:
        """Return its exit code, once it has ended."""
        return await asyncio.to_thread(self.served.process.wait, START_SECONDS)


async def eventually(
    is_so: Callable[[], bool | Awaitable[bool]], seconds: float = START_SECONDS
) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not (now if isinstance(now := is_so(), bool) else await now):
        assert time.monotonic() < deadline, f"not so within {seconds:.0f} s"
        await asyncio.sleep(0.01)


def are_gone(pids: Sequence[int]) -> bool:
    """Tell whether none of the processes is there any more."""
    return not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def doors(ports: Sequence[int]) -> list[str]:
    """Return the options that name a server's three ports."""
    names = ("--port", "--management-port", "--metrics-port")
    return [text for name, port in zip(names, ports, strict=True) for text in (name, str(port))]


@contextlib.contextmanager
def served(archive: Path, *options: str) -> Iterator[Served]:
    """Have a process serve an archive until the block ends."""
    ports = free_ports(3)
    log = archive.with_suffix(".log")
    command = [sys.executable, "-m", "slipway_server", str(archive), *doors(ports), *options]
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env=env)
    try:
        yield Served(process, ports, log)
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def connected(served: Served, *, ready: bool = True) -> AsyncIterator[Running]:
    """Talk to a server until the block ends."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        server = Running(served, session)
        if ready:
            await server.wait_until_ready()
        yield server


@contextlib.asynccontextmanager
async def running(archive: Path, *options: str, ready: bool = True) -> AsyncIterator[Running]:
    """Serve an archive until the block ends."""
    with served(archive, *options) as process:
        async with connected(process, ready=ready) as server:
            yield server


def write_echo(archive: Path, config: str = "") -> Path:
    """Write the archive of `echo.py`, which does what it is asked to."""
    files = {"handler.py": ECHO, **({"mc.yaml": config} if config else {})}
    return write_archive(archive, files, **({"configFile": "mc.yaml"} if config else {}))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "echo.mar"


@pytest.fixture
async def server(process: Served) -> AsyncIterator[Running]:
    """The server of a module's ``process``, ready, whatever the test before did to it."""
    async with connected(process) as server:
        yield server
