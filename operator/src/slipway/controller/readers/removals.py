"""Removing what a finished job stored: beside the loop, few at a time, with the namespace's key.

The key opens that namespace alone, and what is removed lies in a folder that `slipway.store` names:
neither a user's text nor what the store lists leads anywhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from cachetools import TTLCache

from slipway.accounts.errors import CredentialError, Refused
from slipway.accounts.server.admin import Caller
from slipway.accounts.server.objects import Objects
from slipway.accounts.server.signing import Key
from slipway.accounts.trust import Trust
from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.asking.questions import Questions, Tell
from slipway.controller.readers.asking.turns import Turns
from slipway.plan import Reference, Removal, Removed, StoredFolder
from slipway.settings import StoreSettings

_PAUSE_SECONDS = 10.0
"""Time between two passes of one removal."""
_MOST_OBJECTS = 2000
"""How many objects one pass removes at most."""
_PASS_SECONDS = 60.0
"""How long one pass may take."""
_IN_ALL, _EACH = 2, 1
"""How many passes go on at a time, in all and of one namespace."""
_MOST_KNOWN, _KNOWN_SECONDS = 4096, 3600.0
"""How many removals are remembered, and how long; one that is forgotten is looked at anew."""
_DENIED = frozenset({401, 403})

Opened = Callable[[str], Awaitable[Mapping[str, str] | None]]
"""Returns what the store's Secret in a namespace holds."""
Live = Callable[[Removal], Awaitable[Iterable[Reference]]]
"""Returns what the namespace's other objects name now; raises UnansweredError."""
Count = Callable[[int, int, str], None]
"""Is told of objects and bytes that were removed, and why a pass did not come to its end."""


class Removals:
    """Removes what plans say; a repeated plan goes on where the last pass ended."""

    def __init__(
        self,
        store: StoreSettings,
        opened: Opened,
        live: Live,
        count: Count,
        pause: float = _PAUSE_SECONDS,
    ) -> None:
        self._store = store
        self._trust = Trust(store.ca_file)
        self._opened = opened
        self._live = live
        self._count = count
        self._turns = Turns(_IN_ALL, _EACH)
        self._questions: Questions[Removed] = Questions(pause)
        self._stands: TTLCache[str, Removed] = TTLCache(_MOST_KNOWN, _KNOWN_SECONDS)

    def outcome(self, uid: str) -> Removed | None:
        """Return how the removal of an object's stands, by the object's UID."""
        return self._stands.get(uid)

    def begin(self, removal: Removal, tell: Tell) -> None:
        """Have a removal begun, or go on; ``tell`` is called with each piece of news."""
        stands = self._stands.get(removal.uid)
        if stands is not None and stands.complete and stands.removal == removal:
            return

        async def ask(before: Removed | None) -> Removed:
            last = before if before is not None and before.removal == removal else None
            return await self._pass(last or Removed(removal))

        self._questions.read(removal.uid, ask, tell)

    async def _pass(self, last: Removed) -> Removed:
        async with self._turns.turn(last.removal.namespace):
            try:
                async with asyncio.timeout(_PASS_SECONDS):
                    stands = await self._go_on(last)
            except Refused as error:
                if error.status not in _DENIED:
                    raise self._unanswered(error.message) from error
                stands = self._refused(last, error.message)
            except (CredentialError, TimeoutError, UnansweredError) as error:
                raise self._unanswered(str(error) or "it took too long") from error
        self._stands[last.removal.uid] = stands
        return stands

    def _unanswered(self, why: str) -> UnansweredError:
        self._count(0, 0, "Unanswered")
        return UnansweredError(why)

    def _refused(self, last: Removed, why: str) -> Removed:
        self._count(0, 0, "StoreRefuses")
        return replace(last, refused=why, used=())

    async def _go_on(self, last: Removed) -> Removed:
        """Remove what nothing names; what something names is passed over."""
        removal = last.removal
        secret = await self._opened(removal.namespace)
        if not secret or not secret.get("AWS_ACCESS_KEY_ID"):
            return self._refused(last, "There is no key in the namespace that opens the store.")
        objects, left, used = self._objects(secret), _MOST_OBJECTS, []
        stands = replace(last, refused="", used=())
        for target in removal.targets:
            named = [one.user for one in await self._live(removal) if one.names(target)]
            if named:
                used.append(f"{target.what} is kept, as {named[0]} names it")
                continue
            count, size, empty = await self._empty(objects, target.folder, left)
            left -= count
            stands = replace(
                stands, objects=stands.objects + count, size_bytes=stands.size_bytes + size
            )
            if not empty:
                return stands
        if used:
            self._count(0, 0, "InUse")
        return replace(stands, used=tuple(used), complete=not used)

    async def _empty(
        self, objects: Objects, folder: StoredFolder, most: int
    ) -> tuple[int, int, bool]:
        """Remove at most so many objects; return how many, their bytes, and whether all are gone.

        The record goes first, so that what is left after a crash never passes for whole.
        """
        if folder.record and most > 0:
            await objects.remove(folder.place.bucket, f"{folder.prefix}{folder.record}")
        count = size = 0
        while count < most:
            page = await objects.page(folder.place.bucket, folder.prefix, flat=folder.flat)
            chosen = [(key, length) for key, length in page if folder.holds(key)][: most - count]
            if not chosen:
                if page:
                    raise UnansweredError("the store lists what is no plain path of the folder")
                return count, size, True
            for key, length in chosen:
                await objects.remove(folder.place.bucket, key)
                count, size = count + 1, size + length
                self._count(1, length, "")
        return count, size, False

    def _objects(self, secret: Mapping[str, str]) -> Objects:
        store = self._store
        key = Key(
            secret["AWS_ACCESS_KEY_ID"],
            secret.get("AWS_SECRET_ACCESS_KEY", ""),
            secret.get("AWS_SESSION_TOKEN", ""),
        )
        endpoint = store.endpoint or f"https://s3.{store.region}.amazonaws.com"
        caller = Caller(endpoint, key, store.region, trust=self._trust)
        return Objects(caller, in_host=store.addressing_style == "virtual")

    async def aclose(self) -> None:
        """Give up what is under way; the next start goes on."""
        await self._questions.close()
