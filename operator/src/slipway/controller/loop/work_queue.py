"""The work queue: which object is reconciled next, and when one is looked at again.

Keys are deduplicated: one that is added twice runs once. A key that is being worked on is never
handed out a second time; it runs again afterwards if it was added meanwhile. All waiting, be it
back-off, debouncing or a planned revisit, is in one heap with one timer.

A lane whose keys take long, as where an admission webhook hangs, is handed out only so many at a
time, until none has taken long for a minute: the others' keys go on.
"""

import asyncio
import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from slipway.controller.loop.ready_keys import ReadyKeys

Key = TypeVar("Key", bound=Hashable)

_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 300.0
_MOST_DOUBLINGS = 16
_SLOW_AFTER_SECONDS = 60.0
"""A lane counts as slow for so long after a key of it took long."""


def backoff(failures: int, spread: Callable[[], float] = random.random) -> float:
    """Return how long to wait after so many failures in a row, in seconds.

    It doubles from 1 s up to 300 s, with a jitter of half its length so that keys part.
    """
    exponent = min(max(failures, 1) - 1, _MOST_DOUBLINGS)
    longest = min(_FIRST_BACKOFF * 2.0**exponent, _LONGEST_BACKOFF)
    return longest * (0.5 + spread() / 2)


class WorkQueue(Generic[Key]):
    """A delaying, deduplicating queue for the workers of one event loop.

    ``waited`` is told how many seconds each urgent key that was due waited for a worker.
    ``lane_of`` names what takes turns: the namespace of a key. Of a lane that is slow no more than
    ``beside`` keys are worked on at a time.
    """

    def __init__(
        self,
        waited: Callable[[float], None] = lambda _: None,
        lane_of: Callable[[Key], Hashable] = lambda _: "",
        beside: int = 2,
    ) -> None:
        self._waited = waited
        self._lane_of = lane_of
        self._beside = beside
        self._working: Counter[Hashable] = Counter()
        self._slow: set[Key] = set()
        self._slow_until: dict[Hashable, float] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._entries = 0
        self._ready: ReadyKeys[Key] = ReadyKeys(lane_of)
        self._background: set[Key] = set()
        self._active: dict[Key, float] = {}
        self._again: dict[Key, float] = {}
        self._failures: dict[Key, tuple[int, float]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._taken = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Count the keys that could be worked on now and are not."""
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """Count the keys whose time has not come."""
        return len(self._due)

    @property
    def active(self) -> int:
        """Count the keys that are being worked on."""
        return len(self._active)

    @property
    def longest(self) -> float:
        """For how many seconds the key that has taken longest is being worked on; 0 for none."""
        begun = min(self._active.values(), default=None)
        return asyncio.get_running_loop().time() - begun if begun is not None else 0.0

    async def quiet(self, seconds: float = 0.5) -> None:
        """Wait until no key has been ready or worked on for so many seconds."""
        while True:
            await self._quiet.wait()
            taken = self._taken
            await asyncio.sleep(seconds)
            if self._quiet.is_set() and self._taken == taken:
                return

    def add(self, key: Key, after: float = 0.0, *, background: bool = False) -> None:
        """Have a key worked on in ``after`` seconds, or earlier if that is planned already.

        One in the ``background`` waits until nothing is urgent. A key that is added both ways is
        urgent.
        """
        if key in self._ready:
            if not background:
                self._ready.hurry(key)
                self._background.discard(key)
            return
        when = asyncio.get_running_loop().time() + max(0.0, after)
        plans = self._again if key in self._active else self._due
        if not background:
            self._background.discard(key)
        elif key not in plans:
            self._background.add(key)
        if key in plans and plans[key] <= when:
            return
        plans[key] = when
        if plans is self._due:
            self._push(key, when)

    def _push(self, key: Key, when: float) -> None:
        self._entries += 1
        heapq.heappush(self._heap, (when, self._entries, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        self._release()

    def _release(self) -> None:
        """Move the keys whose time has come to the ready ones, and set the timer for the next."""
        loop = asyncio.get_running_loop()
        while self._heap and self._heap[0][0] <= loop.time():
            when, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                del self._due[key]
                self._quiet.clear()
                self._ready.put(key, when, background=key in self._background)
                self._wake()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._heap[0][0], self._release) if self._heap else None

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> Key:
        """Wait for a key to work on; ``done`` or ``retry`` must be called for it afterwards."""
        while (taken := self._take()) is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise
        key, due = taken
        self._taken += 1
        self._active[key] = now = asyncio.get_running_loop().time()
        self._working[self._lane_of(key)] += 1
        if key not in self._background:
            self._waited(now - due)
        self._background.discard(key)
        if self._ready:
            self._wake()
        return key

    def _take(self) -> tuple[Key, float] | None:
        """Take the next key of the lanes that are open; None where there is none."""
        if not self._ready:
            return None
        try:
            return self._ready.take(self._is_open if self._slow_until else None)
        except KeyError:
            return None

    def _is_open(self, lane: Hashable) -> bool:
        """Tell whether one more key of a lane may be worked on."""
        slow = self._slow_until.get(lane, 0.0) > asyncio.get_running_loop().time()
        return not slow or self._working[lane] < self._beside

    def slow(self, key: Key) -> None:
        """Have the lane of a key that is being worked on count as slow until it is done, and on."""
        if key in self._active:
            self._slow_until[self._lane_of(key)] = math.inf
            self._slow.add(key)

    def done(self, key: Key, after: float | None = None, *, background: bool = False) -> None:
        """Report that a key was worked on well, and add it again in ``after`` seconds."""
        self._failures.pop(key, None)
        self._finish(key, after, background)

    def retry(self, key: Key, at_least: float = 0.0, at_most: float = math.inf) -> float:
        """Report that work on a key failed; return after how many seconds it is tried again.

        A key that was woken before its back-off was over has not failed once more: it comes again
        when that is over. ``at_least`` is kept in any case.
        """
        now = asyncio.get_running_loop().time()
        count, until = self._failures.get(key, (0, now))
        if now >= until:
            count, until = count + 1, now + min(at_most, backoff(count + 1))
        until = max(until, now + at_least)
        self._failures[key] = count, until
        self._finish(key, until - now, background=False)
        return until - now

    def failures(self, key: Key) -> int:
        """Return how often work on a key has failed in a row, each time after its back-off."""
        return self._failures.get(key, (0, 0.0))[0]

    def forgive(self, key: Key) -> None:
        """Forget the failures of a key: what it stands for is not what failed."""
        self._failures.pop(key, None)

    def _finish(self, key: Key, after: float | None, background: bool) -> None:
        if self._active.pop(key, None) is not None:
            self._leave(key)
        again = self._again.pop(key, None)
        hurried = again is not None and key not in self._background
        self._background.discard(key)
        if after is not None:
            self.add(key, after, background=background and not hurried)
        if again is not None:
            self.add(key, again - asyncio.get_running_loop().time(), background=not hurried)
        if self._ready:
            self._wake()
        elif not self._active:
            self._quiet.set()

    def _leave(self, key: Key) -> None:
        """Count a key as worked on no more; its lane stays slow for a while if it was."""
        lane, now = self._lane_of(key), asyncio.get_running_loop().time()
        self._working[lane] -= 1
        if not self._working[lane]:
            del self._working[lane]
        if key not in self._slow:
            return
        self._slow.discard(key)
        if not any(self._lane_of(other) == lane for other in self._slow):
            self._slow_until[lane] = now + _SLOW_AFTER_SECONDS
        self._slow_until = {one: until for one, until in self._slow_until.items() if until > now}
