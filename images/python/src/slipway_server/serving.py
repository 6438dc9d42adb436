"""One model served: its queue, its workers, and the doors."""

import argparse
import asyncio
import contextlib
import logging
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from slipway_server.archive import Manifest
from slipway_server.forks import GivenUp
from slipway_server.front import Front, Served
from slipway_server.metrics import Metrics
from slipway_server.model_config import ModelConfig
from slipway_server.plan import Plan
from slipway_server.pool import Pool
from slipway_server.stateful import kinds

_LOG = logging.getLogger(__name__)
CANNOT_LOAD = 1
"""Exit code where the workers end again and again before the model is loaded."""


class Server:
    """Serves until it is stopped; then it answers what it has, and ends."""

    def __init__(
        self, options: argparse.Namespace, folder: Path, manifest: Manifest, config: ModelConfig
    ) -> None:
        self._options = options
        metrics = Metrics(manifest.model_name, manifest.model_version)
        queue = kinds.queue_for(manifest.model_name, config)
        plan = _plan(options, folder, manifest, config)
        pool = Pool(plan, kinds.serving(plan, queue, metrics, config), metrics)
        self._pool = pool
        self._front = Front(
            Served(manifest, config, queue, pool, metrics, options.max_request_bytes)
        )
        self._stopping = asyncio.Event()
        self._code = 0
        self._runners: list[web.AppRunner] = []
        self._path = f"/predictions/{manifest.model_name}"

    @property
    def is_ready(self) -> bool:
        """Whether every worker has loaded the model."""
        return self._pool.is_ready

    @property
    def url(self) -> str:
        """Where predictions are asked for, once `run` listens."""
        host, port = self._runners[0].addresses[0][:2]
        return f"http://{host}:{port}{self._path}"

    def stop(self, code: int = 0) -> None:
        """Take no more connections, answer what is there, and end with an exit code."""
        self._code = code
        self._stopping.set()

    async def run(self) -> int:
        """Serve; return the process's exit code."""
        working = asyncio.create_task(self._pool.run())
        stopping = asyncio.create_task(self._stopping.wait())
        sites = await self._listen()
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return _told(working)
            await sites[0].stop()
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._front.drain(), self._options.drain_seconds)
            return self._code
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    async def _listen(self) -> list[web.TCPSite]:
        logging.getLogger("aiohttp.server").addFilter(_is_of_the_server)
        options, front = self._options, self._front
        doors = (
            (front.inference(), options.port),
            (front.management(), options.management_port),
            (front.scrapes(), options.metrics_port),
        )
        self._runners = [
            web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
            for app, _ in doors
        ]
        sites = []
        for runner, (_, port) in zip(self._runners, doors, strict=True):
            await runner.setup()
            sites.append(web.TCPSite(runner, options.host, port, backlog=1024))
            await sites[-1].start()
        return sites


def _is_of_the_server(record: logging.LogRecord) -> bool:
    """Tell whether aiohttp logs anything else than bytes that are no HTTP, which get 400."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _told(working: "asyncio.Task[None]") -> int:
    error = working.exception()
    if isinstance(error, GivenUp):
        _LOG.error("The model cannot be served: %s", error)
        return CANNOT_LOAD
    if error is not None:
        raise error
    return 0


def _plan(
    options: argparse.Namespace, folder: Path, manifest: Manifest, config: ModelConfig
) -> Plan:
    gpus = 0 if config.device_type == "cpu" else options.gpus
    told = {
        "kind": "serve",
        "folder": str(folder.resolve()),
        "model_name": manifest.model_name,
        "batch_size": config.batch_size,
        "gpus": gpus,
        "envelope": options.service_envelope,
        "max_response_bytes": options.max_response_bytes,
    }
    return Plan(
        told=told,
        workers=config.workers,
        batch_size=config.batch_size,
        batch_delay=config.max_batch_delay / 1000,
        response_timeout=config.response_timeout,
        startup_timeout=config.startup_timeout,
        most_response_bytes=options.max_response_bytes,
        places=kinds.places(config),
        is_shared=not gpus and not options.no_sharing,
    )
