"""The way to the API server: from inside a cluster, or by a kubeconfig."""

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_kube_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config

from slipway.kube.answers.response import BoundedResponse
from slipway.kube.errors import KubeError
from slipway.telemetry.trace import traceparent

_LOG = logging.getLogger(__name__)
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_PLAIN = {"Accept-Encoding": "identity"}
"""A list that the API server compresses costs it two to four times as much processor time."""
_KUBECONFIG = "KUBECONFIG"
_TOKEN_SECONDS = 600.0
"""How long a token of a kubeconfig is used before it is loaded again."""

RequestObserver = Callable[[str, str, bool, int], None]
"""Called with each answer: HTTP method, URL path, whether it is a watch, status (0: no answer)."""


def _observing(observer: RequestObserver) -> aiohttp.ClientMiddlewareType:
    async def observe(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        status = 0
        if trace := traceparent():
            request.headers["traceparent"] = trace
        try:
            response = await handler(request)
            status = response.status
        finally:
            observer(request.method, request.url.path, "watch" in request.url.query, status)
        return response

    return observe


class Connection:
    """A configured API client, and sessions of the same identity for others.

    Tokens are read anew for each request, so that rotated service-account tokens are picked up.
    """

    def __init__(self, configuration: Any, observer: RequestObserver, *, in_cluster: bool) -> None:
        self.in_cluster = in_cluster
        self._configuration = configuration
        self._observer = observer
        self._api: Any = ApiClient(configuration)
        self._own: aiohttp.ClientSession | None = None

    @property
    def tls(self) -> ssl.SSLContext:
        """What trusts the API server's authority."""
        context: ssl.SSLContext = self._api.rest_client.ssl_context
        return context

    @property
    def own(self) -> aiohttp.ClientSession:
        """The connection's own session, with as many connections as the configuration says."""
        if self._own is None:
            limit = self._configuration.connection_pool_maxsize
            self._own = self.session(limit, self._observer)
        return self._own

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self._configuration.host)

    async def _authorise(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the present credentials to one request (an aiohttp client middleware)."""
        for setting in (await self._configuration.auth_settings()).values():
            request.headers[setting["key"]] = setting["value"]
        return await handler(request)

    def session(
        self, limit: int, observer: RequestObserver, *outer: aiohttp.ClientMiddlewareType
    ) -> aiohttp.ClientSession:
        """Return a session of at most ``limit`` connections that is authorised and observed.

        A request passes the middlewares ``outer`` before.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ssl=self.tls),
            middlewares=(*outer, self._authorise, _observing(observer)),
            proxy=self._configuration.proxy,
            headers=_PLAIN,
            response_class=BoundedResponse,
        )

    async def close(self) -> None:
        """Close the connection's own session."""
        if self._own is not None:
            await self._own.close()
        await self._api.close()


async def connect(
    kubeconfig: Path | None, connections: int, observer: RequestObserver
) -> Connection:
    """Return a connection by ``kubeconfig``, by $KUBECONFIG or by the pod's service account.

    ``connections`` is the most that are open at a time. Raises KubeError where there is no
    configuration to be found.
    """
    configuration = Configuration(connection_pool_maxsize=connections)
    in_cluster = kubeconfig is None and _KUBECONFIG not in os.environ and _IN_CLUSTER in os.environ
    try:
        if in_cluster:
            await asyncio.to_thread(load_incluster_config, configuration)
        else:
            path = _existing(kubeconfig)
            await load_kube_config(config_file=path, client_configuration=configuration)
            configuration.refresh_api_key_hook = TokenRefresh(path)
    except (ConfigException, OSError) as error:
        raise KubeError(
            f"There is no usable cluster configuration ({error}): run in a pod with a service "
            "account, or name a kubeconfig by --kubeconfig or KUBECONFIG."
        ) from error
    _LOG.info("Using the API server at %s", configuration.host)
    return Connection(configuration, observer, in_cluster=in_cluster)


class TokenRefresh:
    """Loads a kubeconfig's token anew now and then, since those of exec plugins run out.

    The client calls it before each request that is authorised by a token.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._until = clock() + _TOKEN_SECONDS

    async def __call__(self, configuration: Any) -> None:
        """Renew the token of ``configuration`` where it is old; keep it where that fails."""
        if self._clock() < self._until:
            return
        self._until = self._clock() + _TOKEN_SECONDS
        try:
            await load_kube_config(config_file=self._path, client_configuration=configuration)
        except (ConfigException, OSError) as error:
            _LOG.warning("The kubeconfig %s could not be read again: %s", self._path, error)


def _existing(kubeconfig: Path | None) -> str:
    """Return the kubeconfig's path, or several joined by colons; raise OSError if there is none."""
    text = str(kubeconfig or os.environ.get(_KUBECONFIG) or Path.home() / ".kube" / "config")
    if not any(Path(part).is_file() for part in text.split(os.pathsep) if part):
        raise FileNotFoundError(f"there is no file {text}")
    return text


def api_server_addresses() -> list[str]:
    """Return the API server's address as a pod knows it: users' queries go nowhere near it."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
