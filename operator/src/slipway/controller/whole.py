"""Objects of which the cache has an outline alone, since their namespace has no room for more."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Unread:
    """Why an object is not planned for, as an end of a sentence, and when to look again (s)."""

    why: str
    again: float


class Whole:
    """Makes sure that an object is planned for only where all of it is known, and fits."""

    def __init__(self, reader: Reader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def unread(self, ref: ObjectRef) -> Unread | None:
        """Return None where an object and its children are known as a whole, and can be read.

        What there is room for by now is read anew.
        """
        short = self._cache.room.sentence(ref.namespace)
        outlines = self._cache.outlines(ref)
        if outlines and not self._cache.fit(outlines):
            return Unread(short, AGAIN_SECONDS)
        for each in outlines[:_MOST_AT_ONCE]:
            live = await self._reader.get(each)
            if live is not None:
                self._cache.feed(live)
        if self._cache.outlines(ref):
            return Unread(short, _GO_ON_SECONDS)
        if not self._cache.fits_at_once(ref):
            return Unread(self._cache.room.sentence_at_once(), AGAIN_SECONDS)
        return None
