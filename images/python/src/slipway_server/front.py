"""The HTTP front: TorchServe's paths, words and codes, on aiohttp.

- inference: POST and PUT /predictions/NAME[/VERSION[/REST]], /explanations/NAME, GET /ping
- management: GET /models, GET /models/NAME, which readiness asks for, and GET /deaths
- metrics: GET /metrics

Reference: https://github.com/pytorch/serve/blob/master/docs/rest_api.md
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from aiohttp import web

from slipway_server.answers import Answer, error
from slipway_server.archive import Manifest
from slipway_server.errors import Refusal
from slipway_server.fields import fields
from slipway_server.metrics import Metrics
from slipway_server.model_config import ModelConfig
from slipway_server.pool import Pool
from slipway_server.queue import Job, JobQueue
from slipway_server.request_ids import id_of, own_id, with_id
from slipway_server.stateful import keys
from slipway_server.stateful.queue import SequenceQueue

_TYPED = "slipway_server.typed"
"""Where a response keeps whether its answer has a content type."""
_QUIET_SECONDS = 0.25
"""A server that stops waits so long for another request of the connections that there are."""


@dataclass(frozen=True)
class Served:
    """What is served, and by whom; ``max_request_bytes`` is the longest body."""

    manifest: Manifest
    config: ModelConfig
    queue: JobQueue | SequenceQueue
    pool: Pool
    metrics: Metrics
    max_request_bytes: int


def _refused(refusal: Refusal) -> Answer:
    answer = error(refusal.code, refusal.kind, refusal.message)
    if refusal.retry_after is None:
        return answer
    retry = ("retry-after", str(refusal.retry_after))
    return Answer(answer.status, answer.body, [*answer.headers, retry])


def _response(answer: Answer) -> web.Response:
    response = web.Response(
        status=answer.status, body=answer.body or None, reason=answer.phrase or None
    )
    _set_headers(response, answer)
    if answer.status >= 300:
        response.force_close()
    return response


def _set_headers(response: web.StreamResponse, answer: Answer) -> None:
    """Set an answer's headers; aiohttp would add a content type of its own where it has none."""
    for name, value in answer.headers:
        response.headers[name] = value
    response[_TYPED] = "content-type" in response.headers


async def without_type(_request: web.Request, response: web.StreamResponse) -> None:
    """Send no content type where the handler has set none, as TorchServe does."""
    if not response.get(_TYPED, True):
        response.headers.pop("content-type", None)


class Front:
    """Answers requests for one model."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._keys = keys.Keys.read() if served.config.is_sequence else None
        self._active = 0
        self._count = 0
        self._is_stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active(self) -> int:
        """How many requests are in progress."""
        return self._active

    def inference(self) -> web.Application:
        """Return the application that users reach."""
        app = web.Application(client_max_size=self._served.max_request_bytes)
        app.on_response_prepare.extend((without_type, with_id))
        app.router.add_get("/ping", self._ping)
        for path, command in (("predictions", "predict"), ("explanations", "explain")):
            for tail in ("", "/{version}", "/{version}/{rest:.*}"):
                app.router.add_route("*", f"/{path}/{{name}}{tail}", self._answering(command))
        return app

    def management(self) -> web.Application:
        """Return the application that tells how the workers are."""
        app = web.Application()
        app.router.add_get("/models", self._models)
        app.router.add_get("/models/{name}", self._model)
        app.router.add_get("/models/{name}/{version}", self._model)
        app.router.add_get("/deaths", self._deaths)
        return app

    def scrapes(self) -> web.Application:
        """Return the application that Prometheus reaches."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        return app

    async def drain(self) -> None:
        """Close each connection with its next answer; return when none has come for a while."""
        self._is_stopping = True
        seen = -1
        while seen != self._count:
            seen = self._count
            await self._idle.wait()
            await asyncio.sleep(_QUIET_SECONDS)

    @contextlib.contextmanager
    def _under_way(self) -> Iterator[None]:
        self._active += 1
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    def _answering(self, command: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            with self._under_way():
                try:
                    return await self._answer(request, command)
                except Refusal as refusal:
                    return self._sent(_refused(refusal), None)

        return answer

    def _sent(self, answer: Answer, seconds: float | None) -> web.Response:
        self._served.metrics.answered(answer.status, seconds)
        response = _response(answer)
        if self._is_stopping:
            response.force_close()
        return response

    async def _answer(self, request: web.Request, command: str) -> web.StreamResponse:
        self._check(request)
        self._served.metrics.came()
        of = keys.named(list(request.headers.items()), self._keys) if self._keys else keys.ALONE
        self._served.queue.check(of.sequence)
        job = await self._job(request, command, of)
        self._served.queue.put(job)
        try:
            return await self._given(request, job)
        finally:
            if job.answer.cancel():  # its client has gone before it was answered
                self._served.queue.drop(job)

    def _check(self, request: web.Request) -> None:
        manifest = self._served.manifest
        name, version = request.match_info["name"], request.match_info.get("version")
        if name != manifest.model_name:
            raise Refusal(404, "ModelNotFoundException", f"Model not found: {name}")
        if version not in (None, manifest.model_version):
            raise Refusal(
                404,
                "ModelVersionNotFoundException",
                f"Model version: {version} does not exist for model: {name}",
            )
        if request.method not in ("POST", "PUT", "GET", "OPTIONS"):
            raise Refusal(
                405,
                "MethodNotAllowedException",
                "Requested method is not allowed, please refer to API document.",
            )

    async def _job(self, request: web.Request, command: str, of: keys.Named) -> Job:
        told, values = [], []
        async for name, kind, own, value in fields(request, self._served.max_request_bytes):
            told.append([name, kind, own])
            values.append(value)
        headers = [[name, value] for name, value in (*request.headers.items(), *of.headers)]
        headers.append(["explain", str(command == "explain")])
        headers.append(["url_path", request.match_info.get("rest", "")])
        head = {"id": own_id(request), "name": id_of(request), "headers": headers, "fields": told}
        return Job(head, values, command, sequence=of.sequence)

    async def _given(self, request: web.Request, job: Job) -> web.StreamResponse:
        """Return what the worker answers; its parts are sent as they come."""
        part = await job.parts.get()
        if part is None:
            return self._sent(await job.answer, time.monotonic() - job.entered)
        response = web.StreamResponse(status=part.status, reason=part.phrase or None)
        _set_headers(response, part)
        if self._is_stopping:
            response.force_close()
        try:
            await response.prepare(request)
            while part is not None:
                await response.write(part.body)
                job.unread -= len(part.body)
                part = await job.parts.get()
            answer = await job.answer
            await response.write(answer.body)
            await response.write_eof()
        except ConnectionError:  # the client has gone, which aiohttp has not told yet
            return response
        self._served.metrics.answered(answer.status, time.monotonic() - job.entered)
        return response

    async def _ping(self, _request: web.Request) -> web.Response:
        is_ready = self._served.pool.is_ready
        body = {"status": "Healthy" if is_ready else "Unhealthy"}
        return _json(200 if is_ready else 500, body)

    async def _models(self, _request: web.Request) -> web.Response:
        manifest = self._served.manifest
        return _json(
            200, {"models": [{"modelName": manifest.model_name, "modelUrl": _url(manifest)}]}
        )

    async def _model(self, request: web.Request) -> web.Response:
        manifest, config = self._served.manifest, self._served.config
        try:
            self._check(request)
        except Refusal as refusal:
            return _response(_refused(refusal))
        workers = [
            {
                "id": str(9000 + slot.number),
                "startTime": _time(slot.started),
                "status": "READY" if slot.is_ready else "UNLOADING",
                "memoryUsage": 0,
                "pid": slot.pid,
                "gpu": False,
                "gpuUsage": "N/A",
            }
            for slot in self._served.pool.slots
        ]
        told = {
            "modelName": manifest.model_name,
            "modelVersion": manifest.model_version,
            "modelUrl": _url(manifest),
            "runtime": "python",
            "minWorkers": config.workers,
            "maxWorkers": config.workers,
            "batchSize": config.batch_size,
            "maxBatchDelay": config.max_batch_delay,
            "responseTimeout": config.response_timeout,
            "startupTimeout": config.startup_timeout,
            "workers": workers,
            "jobQueueStatus": {
                "remainingCapacity": self._served.queue.most - len(self._served.queue),
                "pendingRequests": len(self._served.queue),
            },
        }
        return _json(200, [told])

    async def _deaths(self, _request: web.Request) -> web.Response:
        return _json(200, self._served.pool.deaths.told())

    async def _metrics(self, _request: web.Request) -> web.Response:
        page = self._served.metrics.page()
        return web.Response(body=page, content_type="text/plain", charset="utf-8")


def _url(manifest: Manifest) -> str:
    return f"{manifest.model_name}.mar"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")


def _json(status: int, body: Any) -> web.Response:
    text = json.dumps(body, indent=2) + "\n"
    return web.Response(status=status, text=text, content_type="application/json")
