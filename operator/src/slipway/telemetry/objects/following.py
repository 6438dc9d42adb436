"""Following objects by their versions: what is derived from one is derived again when it changed.

A scrape of 10,000 objects must not hold the event loop, on which the lease and the watches depend:
it looks at versions alone, reads what is new, and lets others run again and again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.objects.handling import Handling

_HELD_SECONDS = 0.01

Version = tuple[ObjectRef, str, int]
"""An object's reference, UID and resourceVersion."""
Versions = Callable[[], Iterable[Version]]
Get = Callable[[ObjectRef], Manifest | None]
Key = TypeVar("Key", bound=Hashable)


class Pauses:
    """Lets others have the event loop once it has been held for 10 ms."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def pause(self) -> None:
        """Give the loop away if it is time to; called at least after each millisecond's work."""
        if perf_counter() - self._since >= _HELD_SECONDS:
            await asyncio.sleep(0)
            self._since = perf_counter()


class Listener(Protocol):
    """Derives something from each object."""

    def seen(self, ref: ObjectRef, obj: Manifest | None) -> None:
        """Take in an object's new version, or that it is gone."""


class Follower:
    """Tells listeners of the objects of a kind that changed since the last time.

    What a listener fails at is ``handling``'s; it is told of that object again once it changes.
    """

    def __init__(
        self,
        versions: Versions,
        get: Get,
        listeners: Sequence[Listener],
        handling: Handling | None = None,
    ) -> None:
        self._handling = handling or Handling()
        self._versions = versions
        self._get = get
        self._listeners = listeners
        self._known: dict[ObjectRef, int] = {}

    async def renew(self, pauses: Pauses) -> None:
        """Look at all versions, and have what changed taken in."""
        there: dict[ObjectRef, int] = {}
        for ref, _, version in self._versions():
            obj = self._get(ref) if self._known.get(ref) != version else None
            if obj is not None:
                self._tell(ref, obj)
            if obj is not None or ref in self._known:
                there[ref] = self._known[ref] = version
            await pauses.pause()
        for ref in self._known.keys() - there.keys():
            self._tell(ref, None)
            await pauses.pause()
        self._known = there

    def _tell(self, ref: ObjectRef, obj: Manifest | None) -> None:
        for listener in self._listeners:
            with self._handling.of(ref, "metrics"):
                listener.seen(ref, obj)


class Tally(Generic[Key]):
    """Sums over objects, by keys; ``count`` yields what one object adds to which keys.

    A key to which nothing adds any more is not there.
    """

    def __init__(self, count: Callable[[Manifest], Iterable[tuple[Key, int]]]) -> None:
        self._count = count
        self._parts: dict[ObjectRef, tuple[tuple[Key, int], ...]] = {}
        self._sums: Counter[Key] = Counter()
        self._adding: Counter[Key] = Counter()

    def seen(self, ref: ObjectRef, obj: Manifest | None) -> None:
        """Replace what an object added before by what it adds now."""
        for key, amount in self._parts.pop(ref, ()):
            self._sums[key] -= amount
            self._adding[key] -= 1
            if not self._adding[key]:
                del self._sums[key], self._adding[key]
        if obj is None:
            return
        self._parts[ref] = parts = tuple(self._count(obj))
        for key, amount in parts:
            self._sums[key] += amount
            self._adding[key] += 1

    def sums(self) -> dict[Key, int]:
        """Return the sums by their keys."""
        return dict(self._sums)
