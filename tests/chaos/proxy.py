"""A proxy between the operator and the API server that fails as it is told to."""

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_CHUNK = 1 << 16
_HOP = ("Connection", "Transfer-Encoding", "Content-Length", "Host", "Keep-Alive")
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


@dataclass
class FaultyProxy:
    """Forwards requests to ``server``.

    ``failing`` is the share of requests, watches apart, that are answered 500 or 429 instead.
    ``watches_gone``: each watch is answered 410, by turns as a status and as an event, as API
    servers do. ``answered`` counts what was made up.
    """

    server: str
    trust: ssl.SSLContext
    failing: float = 0.0
    watches_gone: bool = False
    answered: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311
    _open: set[asyncio.Transport] = field(default_factory=set)

    def cut(self) -> None:
        """End all connections in the middle of whatever they do."""
        for transport in tuple(self._open):
            transport.abort()

    def _made_up(self, request: web.Request) -> web.Response | None:
        if "watch" in request.query:
            return _gone(as_event=self.answered % 2 == 0) if self.watches_gone else None
        if self._random.random() >= self.failing:
            return None
        busy = self._random.random() < 0.5
        return _status(429, "TooManyRequests") if busy else _status(500, "InternalError")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if made_up := self._made_up(request):
            self.answered += 1
            return made_up
        transport = request.transport
        if isinstance(transport, asyncio.Transport):
            self._open.add(transport)
        try:
            return await self._forward(request)
        except aiohttp.ClientError:
            if transport is not None:
                transport.abort()
            raise web.HTTPBadGateway from None
        finally:
            self._open.discard(transport)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k not in _HOP}
        url, body = f"{self.server}{request.path_qs}", await request.read()
        session: aiohttp.ClientSession = request.app[_SESSION]
        async with session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as found:
            kept = {k: v for k, v in found.headers.items() if k not in _HOP}
            answer = web.StreamResponse(status=found.status, headers=kept)
            await answer.prepare(request)
            async for chunk in found.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve on loopback; yield the URL."""
        connector = aiohttp.TCPConnector(ssl=self.trust, limit=0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=_NO_TIMEOUT, auto_decompress=False
        ) as session:
            application = web.Application(client_max_size=1 << 24)
            application[_SESSION] = session
            application.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.cut()
            await runner.cleanup()


_SESSION = web.AppKey("session", aiohttp.ClientSession)


def _told(code: int, reason: str) -> dict[str, object]:
    head = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**head, "reason": reason, "code": code}


def _status(code: int, reason: str) -> web.Response:
    headers = {"Retry-After": "1"} if code == 429 else {}
    return web.json_response(_told(code, reason), status=code, headers=headers)


def _gone(*, as_event: bool) -> web.Response:
    if not as_event:
        return _status(410, "Expired")
    return web.Response(text=json.dumps({"type": "ERROR", "object": _told(410, "Expired")}) + "\n")
