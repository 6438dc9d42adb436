"""Asking whether the artifact store answers, seldom and without holding anything up."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from slipway.accounts.trust import Trust
from slipway.controller.readers.asking.bounded import BoundedReader, Bounds, UnansweredError
from slipway.controller.readers.asking.questions import Questions
from slipway.controller.readers.asking.turns import Turns
from slipway.plan import StoreState
from slipway.settings import StoreSettings

_LOG = logging.getLogger(__name__)
_BOUNDS = Bounds(total_seconds=3.0, connect_seconds=2.0, most_bytes=1 << 16)
_PAUSES = (1.0, 4.0)
"""After how many seconds each a store that answered before is asked again that did not answer: a
busy node is slow at times, and that is no outage to tell every job of."""


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
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._endpoint = store.endpoint
        self._pauses = pauses
        self._in_cluster = in_cluster
        self._known = asyncio.Event()
        self._questions: Questions[StoreState] = Questions(store.probe_seconds, clock)
        trust = Trust(store.ca_file)
        self._reader = BoundedReader(_BOUNDS, Turns(1, 1), trust=trust.context)

    async def state(self) -> StoreState:
        """Return what is known of the store; only the first answer is waited for."""
        if not self._endpoint:
            return StoreState()
        state = self._read()
        if state is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._known.wait(), 2 * _BOUNDS.total_seconds)
            state = self._read()
        return state or StoreState()

    def _read(self) -> StoreState | None:
        return self._questions.read(self._endpoint, self._ask, self._known.set).value

    async def _ask(self, before: StoreState | None) -> StoreState:
        state = await self._answer()
        for pause in self._pauses if before is not None and before.reachable else ():
            if state.reachable:
                break
            await asyncio.sleep(pause)
            state = await self._answer()
        if state.reachable != (before is None or before.reachable):
            what = "answers again" if state.reachable else f"cannot be reached: {state.message}"
            _LOG.warning("The store at %s %s", self._endpoint, what)
        return state

    async def _answer(self) -> StoreState:
        try:
            await self._reader.head(self._endpoint)
        except UnansweredError as error:
            if not self._in_cluster and not await self._resolves():
                return StoreState()
            text = f"The artifact store {self._endpoint} does not answer: {error}"
            return StoreState(False, text)
        return StoreState()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._questions.close()
        await self._reader.close()

    async def _resolves(self) -> bool:
        host = urlsplit(self._endpoint).hostname or ""
        try:
            await asyncio.get_running_loop().getaddrinfo(host, None)
        except socket.gaierror:
            return False
        return True
