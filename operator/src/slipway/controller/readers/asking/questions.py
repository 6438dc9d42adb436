"""Questions that nobody waits for: asked in tasks, and answered with the newest that is known."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

from slipway.controller.readers.asking.bounded import UnansweredError

_LOG = logging.getLogger(__name__)
_REMEMBERED_SECONDS = 900.0
"""So long after it was read last an answer is forgotten; objects are read more often."""

Value = TypeVar("Value")
Ask = Callable[[Value | None], Awaitable[Value]]
"""Asks a question, given the newest value so far; raises UnansweredError for no answer."""
Tell = Callable[[], None]


@dataclass(frozen=True)
class Newest(Generic[Value]):
    """What is known of an address.

    ``value`` is its newest answer and ``age`` how many seconds ago that was asked for; None and
    infinite before the first one. ``silent_seconds`` is for how long its questions have gone
    unanswered since then, and ``error`` how the last one ended; 0 and empty while it answers.
    """

    value: Value | None = None
    age: float = math.inf
    silent_seconds: float = 0.0
    error: str = ""


@dataclass
class _Entry(Generic[Value]):
    ask: Ask[Value]
    tell: Tell
    value: Value | None = None
    asked: float = -math.inf
    answered: float = -math.inf
    silent_since: float | None = None
    error: str = ""
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None


class Questions(Generic[Value]):
    """Asks the addresses that are read, each at most once in ``interval`` seconds.

    A read never waits. It has the next question asked: at once where the last one is old enough,
    else ``renew`` seconds after it (by default ``interval``). So an object that is looked at that
    often finds an answer that is about as new as one it would have waited for.
    """

    def __init__(
        self,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        renew: float | None = None,
    ) -> None:
        self._interval = interval
        self._renew = interval if renew is None else renew
        self._clock = clock
        self._known: TTLCache[Hashable, _Entry[Value]] = TTLCache(
            math.inf, _REMEMBERED_SECONDS, timer=clock
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, key: Hashable, ask: Ask[Value], tell: Tell) -> Newest[Value]:
        """Return what is known, and have ``ask`` asked when it is due.

        ``tell`` is called once an answer has come that differs from the one before.
        """
        entry = self._known.get(key) or _Entry(ask, tell)
        entry.ask, entry.tell = ask, tell
        self._known[key] = entry
        self._plan(entry)
        now = self._clock()
        silent = 0.0 if entry.silent_since is None else now - entry.silent_since
        return Newest(entry.value, now - entry.answered, silent, entry.error)

    def forget(self, key: Hashable) -> None:
        """Forget an address, and ask it no more."""
        entry = self._known.pop(key, None)
        if entry is not None and entry.timer is not None:
            entry.timer.cancel()

    def _plan(self, entry: _Entry[Value]) -> None:
        if entry.task is not None:
            return
        age = self._clock() - entry.asked
        if age >= self._interval:
            self._begin(entry)
        elif entry.timer is None:
            loop = asyncio.get_running_loop()
            entry.timer = loop.call_later(self._renew - age, self._begin, entry)

    def _begin(self, entry: _Entry[Value]) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer, entry.asked = None, self._clock()
        entry.task = asyncio.create_task(self._settle(entry))
        self._tasks.add(entry.task)
        entry.task.add_done_callback(self._tasks.discard)

    async def _settle(self, entry: _Entry[Value]) -> None:
        before = entry.value
        try:
            entry.value = await entry.ask(before)
        except Exception as error:
            if not isinstance(error, UnansweredError):
                _LOG.exception("A question ended in an error of the operator's own")
            entry.error = str(error) or type(error).__name__
            if entry.silent_since is None:
                entry.silent_since = entry.asked
        else:
            entry.answered, entry.silent_since, entry.error = entry.asked, None, ""
        finally:
            entry.task = None
        if entry.value != before:
            entry.tell()

    async def close(self) -> None:
        """Ask nothing more, and give up what is under way."""
        for entry in self._known.values():
            if entry.timer is not None:
                entry.timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._known.clear()
