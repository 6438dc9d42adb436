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
        self._pool, self._plan, self._manifest = pool, plan, manifest
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
        telling = asyncio.create_task(self._tell_ready())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return _told(working)
            await sites[0].stop()
            self._tell(_stops(self._front.active, self._options.drain_seconds))
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._front.drain(), self._options.drain_seconds)
            return self._code
        finally:
            for task in (stopping, telling, working):
                task.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    async def _tell_ready(self) -> None:
        """Log what is served, by how many workers and where, once all of them have loaded it."""
        await self._pool.until_loaded()
        doors = ("predictions", "management", "metrics")
        places = (runner.addresses[0][:2] for runner in self._runners)
        where = ", ".join(
            f"{door} at {host}:{port}" for door, (host, port) in zip(doors, places, strict=True)
        )
        model, workers = self._manifest, self._plan.workers
        self._tell(
            f"Ready: model {model.model_name}, version {model.model_version}, {workers} "
            f"worker{'s' if workers > 1 else ''} on {_device(self._plan)}; {where}."
        )

    def _tell(self, text: str) -> None:
        if not self._options.check:  # which tells of its samples alone
            _LOG.info("%s", text)

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


def _device(plan: Plan) -> str:
    gpus = int(plan.told["gpus"])
    if gpus < 0:
        return "all GPUs"
    return f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "the CPU"


def _stops(active: int, seconds: float) -> str:
    progress = f"{active} request{' is' if active == 1 else 's are'} in progress"
    return f"Stopping: no connection is accepted any more; {progress}, for {seconds:g} s at most."


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
