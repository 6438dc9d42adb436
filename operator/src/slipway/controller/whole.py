"""Objects of which the cache has an outline alone, since their namespace has no room for more."""

from typing import Protocol

from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef

AGAIN_SECONDS = 300.0
"""How often it is looked whether there is room by now."""
_MOST_AT_ONCE, _GO_ON_SECONDS = 32, 1.0
"""So many objects are read anew for one reconcile; after so long it goes on with others."""


class Reader(Protocol):
    """Reads one object from the API server."""

    async def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object, or None where there is none."""


class Whole:
    """Makes sure that an object is planned for only where all of it is known."""

    def __init__(self, reader: Reader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def pause(self, ref: ObjectRef) -> float | None:
        """Return None where an object and its children are known as a whole.

        What there is room for by now is read anew. Where that is not all, return in how many
        seconds to look again.
        """
        outlines = self._cache.outlines(ref)
        if not outlines:
            return None
        if not self._cache.fit(outlines):
            return AGAIN_SECONDS
        for each in outlines[:_MOST_AT_ONCE]:
            live = await self._reader.get(each)
            if live is not None:
                self._cache.feed(live)
        return _GO_ON_SECONDS if self._cache.outlines(ref) else None
