"""Turns: how many questions are under way at a time, fairly shared by those who ask."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """At most ``in_all`` turns at a time, and ``each`` of one tenant.

    Free turns go round among the tenants that wait, so that one that asks much, or asks silent
    addresses, delays itself alone.
    """

    def __init__(self, in_all: int, each: int) -> None:
        self._in_all = in_all
        self._each = each
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a turn of a tenant, and hold it within."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(granted)
        self._grant()
        try:
            await granted
            yield
        finally:
            if granted.done() and not granted.cancelled():
                self._give_back(tenant)
            else:
                self._drop(tenant, granted)
            self._grant()

    def _grant(self) -> None:
        """Give the free turns away, one to each waiting tenant at a time."""
        granted = True
        while granted and self._taken.total() < self._in_all:
            granted = any(self._grant_one(tenant) for tenant in tuple(self._waiting))

    def _grant_one(self, tenant: str) -> bool:
        if self._taken.total() >= self._in_all or self._taken[tenant] >= self._each:
            return False
        waiting = self._waiting[tenant]
        granted = waiting.popleft()
        if not granted.done():
            granted.set_result(None)
            self._taken[tenant] += 1
        if waiting:
            self._waiting.move_to_end(tenant)
        else:
            del self._waiting[tenant]
        return True

    def _give_back(self, tenant: str) -> None:
        self._taken[tenant] -= 1
        if not self._taken[tenant]:
            del self._taken[tenant]

    def _drop(self, tenant: str, granted: "asyncio.Future[None]") -> None:
        """Drop a wait that was cancelled before its turn came."""
        waiting = self._waiting.get(tenant, deque())
        if granted in waiting:
            waiting.remove(granted)
            if not waiting:
                del self._waiting[tenant]
