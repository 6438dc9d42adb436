"""The HTTP server of metrics and health."""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from slipway.telemetry.page import content_type_for

_LOG = logging.getLogger(__name__)
MOST_CONNECTIONS = 512
"""How many connections are open at most: a new one beyond them closes the one that came first."""
_BEING_MADE = 100
"""How many connections asyncio takes at once: that many of the newest may not be open yet."""
_IDLE_SECONDS = 75
"""How long a connection stays open without a whole request; Prometheus asks once a minute."""
Check = Callable[[], Sequence[str]]
"""Returns one sentence for each thing that is wrong; none means well."""


def _health(check: Check) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = check()
        text = "".join(f"{sentence}\n" for sentence in wrong) or "ok\n"
        return web.Response(text=text, status=503 if wrong else 200)

    return answer


class Page(Protocol):
    """What is served as metrics: its pieces and its Content-Type, by an Accept header."""

    def __call__(self, accept: str) -> AsyncIterator[bytes]:
        """Yield the page in pieces."""


def _metrics(page: Page) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        accept = request.headers.get("Accept", "")
        response = web.StreamResponse(headers={"Content-Type": content_type_for(accept)})
        # Whoever asked may be gone before the end of the page: no fault of ours.
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            async for piece in page(accept):
                await response.write(piece)
            await response.write_eof()
        return response

    return answer


def _listener(port: int) -> socket.socket:
    """Return a socket that listens on all addresses of both families.

    A socket for each family would be given another port by each, where ``port`` is 0.
    """
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


class HttpServer:
    """Serves ``/metrics``, ``/healthz`` and ``/readyz`` until it is closed.

    ``middlewares`` stand before all of them, such as one that asks who reads the metrics.
    """

    def __init__(
        self,
        page: Page,
        alive: Check,
        ready: Check,
        middlewares: Sequence[Middleware] = (),
    ) -> None:
        application = web.Application(middlewares=middlewares)
        application.router.add_get("/metrics", _metrics(page))
        application.router.add_get("/healthz", _health(alive))
        application.router.add_get("/readyz", _health(ready))
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=_IDLE_SECONDS
        )
        self._newest: deque[web.RequestHandler] = deque()
        self._listening: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on a port of all addresses; 0 picks a free one, which ``self.port`` tells.

        Raises OSError with a hint where the port is taken.
        """
        await self._runner.setup()
        try:
            listener = _listener(port)
        except OSError as error:
            hint = f"Port {port} is taken: set SLIPWAY_HTTP_PORT to another one, or to 0 for any"
            raise OSError(error.errno, hint) from error
        self._listening = await asyncio.get_running_loop().create_server(self._admit, sock=listener)
        self.port = int(listener.getsockname()[1])
        _LOG.info("Serving /metrics, /healthz and /readyz on port %d", self.port)

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    def _admit(self) -> web.RequestHandler:
        """Return what speaks on a new connection: who asks at once is answered in any crowd."""
        handler = cast(web.Server, self._runner.server)()
        self._newest.append(handler)
        older = len(self._newest) - _BEING_MADE
        known = enumerate(self._newest)
        self._newest = deque(one for at, one in known if at >= older or one.connected)
        if len(self._newest) > MOST_CONNECTIONS:
            self._newest.popleft().force_close()
        return handler
