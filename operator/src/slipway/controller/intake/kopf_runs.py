"""Running kopf so that its end ends nothing else, and so that it begins anew, ever less often.

An answer that kopf does not expect of a watch (an HTTP status of 410 or 404, an error of any other
code than 410 among the events) ends all of kopf. When kopf ends, it cancels each task of the event
loop that began after it did: it takes them for its own. Where a watch ends by an error of code 410,
kopf lists anew after 0.1 s, however often that comes. A watch that the server ends, or whose
connection breaks, kopf begins again at once: thousands of times a second where that goes on.

A watch of kopf's that is cancelled in the moment in which it begins anew drops the cancellation and
goes on, and kopf, which ends, waits for it without a bound. And kopf waits as long as a server asks
for by Retry-After, be it a day.
"""

import asyncio
import contextlib
import itertools
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Container, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import kopf

from slipway.controller.intake.kopf_handlers import NoMemories
from slipway.kube.answers.response import TooLongError, check_page, fewer
from slipway.kube.errors import retry_after

_LOG = logging.getLogger(__name__)
_KOPF = str(Path(kopf.__file__).parent)
_HEALTHY_SECONDS = 60.0
"""After so long the failures before are forgotten."""
_SHORTEST_SECONDS = 1.0
"""A watch that is begun again sooner than this has failed, whatever the server says."""
_INSIST_SECONDS = 2.0
"""How often what is left of kopf is cancelled again when it ends."""
_LONGEST_PAUSE = 30.0
"""Longest wait for an API server that asks for time, which counts as no sign of life."""

Waits = Callable[[], Iterator[float]]
"""Gives the seconds to wait after one failure, after two in a row, and so on."""


class OtherTasks(frozenset["asyncio.Task[Any]"]):
    """All tasks that run another coroutine than one of kopf's, as a set that kopf asks."""

    def __contains__(self, task: object) -> bool:
        """Tell whether a task is none of kopf's."""
        coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
        code = getattr(coroutine, "cr_code", None)
        return code is None or not code.co_filename.startswith(_KOPF)


async def run_once(
    registry: kopf.OperatorRegistry,
    settings: kopf.OperatorSettings,
    namespaces: tuple[str, ...],
    stop: asyncio.Event,
) -> None:
    """Run kopf until ``stop`` is set, or raise what it failed by; no namespaces means all."""
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings,
        memories=NoMemories(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
    insisting = asyncio.create_task(_insist(tasks))
    try:
        await kopf.run_tasks(tasks, ignored=OtherTasks())
    finally:
        insisting.cancel()


async def _insist(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel what is left of kopf again and again, once it has begun to end, until cancelled."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    others = OtherTasks()
    while True:
        await asyncio.sleep(_INSIST_SECONDS)
        for task in asyncio.all_tasks():
            if task not in others:
                task.cancel()


async def keep_running(
    run: Callable[[], Awaitable[None]], waits: Waits, stop: asyncio.Event
) -> None:
    """Run until ``stop`` is set; begin anew where that fails."""
    clock, pauses = asyncio.get_running_loop().time, waits()
    while not stop.is_set():
        begun = clock()
        try:
            await run()
        except Exception as error:
            _LOG.warning("The watches of Slipway's kinds begin anew: %s", error)
        if clock() - begun > _HEALTHY_SECONDS:
            pauses = waits()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), next(pauses))


@dataclass
class ListingPace:
    """A client middleware that has each collection listed ever less often in a row."""

    waits: Waits
    _rows: dict[str, tuple[float, Iterator[float]]] = field(default_factory=dict)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Wait before a request that begins a listing; the first one anew is at once."""
        if self._is_paced(request.url.query):
            await asyncio.sleep(self._pause(request.url.path))
        return await handler(request)

    def _is_paced(self, query: Container[str]) -> bool:
        return "watch" not in query and "continue" not in query

    def _row_seconds(self) -> float:
        """Return after how long a request is in no row with the one before."""
        return _HEALTHY_SECONDS

    def _pause(self, path: str) -> float:
        now = asyncio.get_running_loop().time()
        before, waits = self._rows.get(path, (-math.inf, iter(())))
        if now - before >= self._row_seconds():
            waits = itertools.chain((0.0,), self.waits())
            self._rows[path] = now, waits
            return 0.0
        pause = next(waits)
        self._rows[path] = now + pause, waits
        return pause


class WatchPace(ListingPace):
    """A client middleware that has a watch that ends at once begun again ever less often."""

    def _is_paced(self, query: Container[str]) -> bool:
        return "watch" in query

    def _row_seconds(self) -> float:
        return _SHORTEST_SECONDS


@dataclass(frozen=True)
class AskAgain:
    """A client middleware that asks again, at growing pauses, where the API server is overloaded.

    It waits as long as the server asks for, within bounds.
    """

    waits: Waits

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request until it is answered."""
        waits = self.waits()
        while True:
            answer = await handler(request)
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                return answer
            answer.release()
            pause = max(next(waits), retry_after(answer.headers))
            await asyncio.sleep(min(pause, _LONGEST_PAUSE))


@dataclass
class Pages:
    """A client middleware that has as many objects listed at a time as can be taken in.

    kopf asks for the same number each time; one that a user made may have 1.5 MB. After large ones
    there are more at a time again.
    """

    _sizes: dict[str, int] = field(default_factory=dict)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request, and a listing with as many objects as its answer can have."""
        if "limit" not in request.url.query:
            return await handler(request)
        path, most = request.url.path, int(request.url.query["limit"])
        size = min(most, self._sizes.get(path, most)) if "continue" in request.url.query else most
        while True:
            request.url = request.url.update_query(limit=str(size))
            answer = await handler(request)
            try:
                check_page(await answer.read(), size)
            except TooLongError:
                size = fewer(size)
                continue
            self._sizes[path] = 2 * size
            return answer
