"""The place of one worker: its process, and its next process."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from slipway_server.deaths import Deaths
from slipway_server.forks import Child, GivenUp
from slipway_server.metrics import Metrics
from slipway_server.services import Service

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""A worker that ends again and again without having answered is made again after such pauses."""
MOST_FAILURES = 5
"""After so many starts in a row that ended before the model was loaded, the server gives up."""


class CannotLoad(Exception):  # noqa: N818 - what a worker said
    """A worker has not loaded the model; the text says why."""


class Slot:
    """The place of one worker: it has a process, or waits for the next one."""

    def __init__(
        self,
        number: int,
        make: Callable[[], Awaitable[Child]],
        serve: Callable[[Child], Service],
        metrics: Metrics,
        deaths: Deaths,
    ) -> None:
        self.number = number
        self.is_ready = False
        self.has_loaded = asyncio.Event()
        self.pid = 0
        self.started = 0.0
        self._has_died = False
        self._make = make
        self._serve = serve
        self._metrics = metrics
        self._deaths = deaths

    async def run(self, may_give_up: Callable[[], bool]) -> None:
        """Keep a worker, for ever; raises ``GivenUp`` where none can be started."""
        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                child = await self._make()
            except (CannotLoad, OSError) as problem:
                failures += 1
                _LOG.error("Worker %d cannot load the model: %s", self.number, problem)
                if failures >= MOST_FAILURES and may_give_up():
                    raise GivenUp(str(problem)) from None
            else:
                failures = 0
                if await self._keep(child):
                    pause = _FIRST_PAUSE
                    continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _keep(self, child: Child) -> bool:
        """Have a process answer until it ends; tell whether it answered any."""
        service = self._serve(child)
        self.pid, self.started, self.is_ready = child.pid, time.time(), True
        self.has_loaded.set()
        if self._has_died:
            self._deaths.note_ready()
        is_stopped = False
        try:
            await service.run()
        except asyncio.CancelledError:
            is_stopped = True  # by the server, which ends: no worker has died
            raise
        finally:
            self.is_ready = False
            how = await child.end()
            if not is_stopped:
                self._tell_death(child, how, is_late=service.is_late)
        return service.has_answered

    def _tell_death(self, child: Child, how: str, *, is_late: bool) -> None:
        _LOG.error("Worker %d ended: %s", self.number, how)
        self._deaths.note(child.status, child.last_lines(), is_late=is_late)
        self._metrics.died()  # whoever sees the count is told the cause too
        self._has_died = True
