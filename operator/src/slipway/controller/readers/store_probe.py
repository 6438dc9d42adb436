"""Asking whether the artifact store answers, seldom and without holding anything up."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from slipway.plan import StoreState
from slipway.settings import StoreSettings

_LOG = logging.getLogger(__name__)
_TIMEOUT = aiohttp.ClientTimeout(total=3, connect=2)


class StoreProbe:
    """Knows whether the store's endpoint answers HTTP; one answer is believed for a while.

    Any HTTP answer counts, also a refusal: the credentials are the pods', not the operator's. A
    name that cannot be resolved is no fault of the store where the operator runs outside of the
    cluster, since only pods can resolve a Service's name.
    """

    def __init__(
        self,
        store: StoreSettings,
        *,
        in_cluster: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = store.endpoint
        self._seconds = store.probe_seconds
        self._in_cluster = in_cluster
        self._clock = clock
        self._state = StoreState()
        self._until = -1.0
        self._lock = asyncio.Lock()

    async def state(self) -> StoreState:
        """Return what is known of the store, asking it where that is too old."""
        if not self._endpoint:
            return self._state
        async with self._lock:
            if self._clock() >= self._until:
                self._update(await self._ask())
        return self._state

    def _update(self, state: StoreState) -> None:
        if state.reachable != self._state.reachable:
            what = "answers again" if state.reachable else f"cannot be reached: {state.message}"
            _LOG.warning("The store at %s %s", self._endpoint, what)
        self._state = state
        self._until = self._clock() + self._seconds

    async def _ask(self) -> StoreState:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.head(self._endpoint, allow_redirects=False),
            ):
                return StoreState()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if not self._in_cluster and not await self._resolves():
                return StoreState()
            text = str(error) or "no answer in time"
            return StoreState(False, f"The artifact store {self._endpoint} does not answer: {text}")

    async def _resolves(self) -> bool:
        host = urlsplit(self._endpoint).hostname or ""
        try:
            await asyncio.get_running_loop().getaddrinfo(host, None)
        except socket.gaierror:
            return False
        return True
