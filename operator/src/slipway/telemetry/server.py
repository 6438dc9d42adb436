"""The HTTP server of metrics and health."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_LOG = logging.getLogger(__name__)
Check = Callable[[], Sequence[str]]
"""Returns one sentence for each thing that is wrong; none means well."""


def _health(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = check()
        text = "".join(f"{sentence}\n" for sentence in wrong) or "ok\n"
        return web.Response(text=text, status=503 if wrong else 200)

    return answer


def _application(registry: CollectorRegistry, alive: Check, ready: Check) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", _health(alive))
    application.router.add_get("/readyz", _health(ready))
    return application


class HttpServer:
    """Serves ``/metrics``, ``/healthz`` and ``/readyz`` until it is closed."""

    def __init__(self, registry: CollectorRegistry, alive: Check, ready: Check) -> None:
        self._runner = web.AppRunner(
            _application(registry, alive, ready), access_log=None, shutdown_timeout=1.0
        )
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on a port of all addresses; 0 picks a free one, which ``self.port`` tells.

        Raises OSError with a hint where the port is taken.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, port=port).start()
        except OSError as error:
            hint = f"Port {port} is taken: set SLIPWAY_HTTP_PORT to another one, or to 0 for any"
            raise OSError(error.errno, hint) from error
        self.port = int(self._runner.addresses[0][1])
        _LOG.info("Serving /metrics, /healthz and /readyz on port %d", self.port)

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
