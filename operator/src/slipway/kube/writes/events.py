"""Recording Kubernetes Events: no repetitions, and never a flood."""

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from cachetools import LRUCache

from slipway.kube.client import Client
from slipway.kube.errors import KubeError, NotFound, Unavailable
from slipway.kube.resources import EVENTS
from slipway.kube.writes.withheld import Stands, Waiting, Withheld
from slipway.lanes import Lanes
from slipway.manifests import MANAGER
from slipway.plan import Event, Manifest
from slipway.uris import scrubbed

_LOG = logging.getLogger(__name__)
_QUIET_SECONDS = 600.0
"""The same event about the same object is not recorded again for so long."""
_BURST, _REFILL_SECONDS = 10.0, 60.0
"""Events of one type about one object: so many at once, then one in so many seconds. Warnings have
tokens of their own, so that what goes well never keeps them from being told."""
_MOST = 4096
_LONGEST_WAIT, _BATCH = 10.0, 100
"""After so many seconds events are posted even if the operator is busy: so many of them."""
_NOTE_BYTES = 1024


def _note(message: str) -> str:
    """Return an event's note: its message with nothing secret in it, as long as the API takes."""
    return scrubbed(message).encode(errors="replace")[:_NOTE_BYTES].decode(errors="ignore")


async def _at_once() -> None:
    """Wait for nothing."""


class Budget:
    """A token bucket for each key, for the ``_MOST`` keys used last."""

    def __init__(self, burst: float, refill_seconds: float) -> None:
        self._burst, self._refill = burst, refill_seconds
        self._levels: LRUCache[str, tuple[float, float]] = LRUCache(_MOST)

    def take(self, key: str, now: float) -> bool:
        """Take one token if there is one; ``now`` is in seconds."""
        level, since = self._levels.get(key, (self._burst, now))
        level = min(self._burst, level + (now - since) / self._refill)
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        return level >= 1


class EventRecorder:
    """Posts events about objects, behind whatever else there is to do; losing one is no error.

    ``quiet`` waits until nothing more urgent is under way. ``told`` is called with what became of
    each event: ``posted``, ``refused`` by the API server, or ``dropped``, as too many waited.
    ``stands`` tells of an event with a grace whether it is still true when that is over.
    """

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float] = time.monotonic,
        quiet: Callable[[], Awaitable[None]] = _at_once,
        told: Callable[[str], None] = lambda _: None,
        stands: Stands = lambda *_: True,
    ) -> None:
        self._client = client
        self._clock = clock
        self._quiet = quiet
        self._told = told
        self._stands = stands
        self._seen: LRUCache[tuple[str, Event], float] = LRUCache(_MOST)
        types = ("Normal", "Warning")
        self._budgets = {each: Budget(_BURST, _REFILL_SECONDS) for each in types}
        self._instance = socket.gethostname()
        self._waiting: Lanes[tuple[str, str], tuple[Manifest, Event]] = Lanes(itemgetter(0))
        self._withheld = Waiting()
        self._wanted = asyncio.Event()

    def record(self, obj: Mapping[str, Any], event: Event) -> bool:
        """Have an event about ``obj`` posted soon; tell whether it will be.

        Of its message no more is kept than is posted. One with a grace is looked at after that.
        """
        event = replace(event, message=_note(event.message))
        uid, now = str(obj["metadata"]["uid"]), self._clock()
        meta = obj["metadata"]
        key = (meta["namespace"], f"{meta['name']}.{uuid.uuid4().hex[:16]}")
        if not self._is_news(uid, event, now):
            return False
        one = Withheld(now + event.grace_seconds, key, self._manifest(obj, event, key), event)
        if event.grace_seconds and not self._withheld.is_full:
            self._withheld.put(one)
            self._wanted.set()
            return True
        return self._queue(one, now)

    def _queue(self, one: Withheld, now: float) -> bool:
        """Have an event posted; tell whether there are tokens and room for it."""
        uid = one.manifest["regarding"]["uid"]
        if not self._budgets[one.event.type].take(uid, now):
            return False
        if len(self._waiting) >= _MOST and not self._make_room(one.key):
            self._seen.pop((uid, one.event), None)
            return False
        self._waiting.put(one.key, (one.manifest, one.event))
        self._wanted.set()
        return True

    def _release(self) -> None:
        """Queue the withheld events whose grace is over and that still stand; forget the others."""
        now = self._clock()
        for one in self._withheld.take(now):
            regarding = one.manifest["regarding"]
            if self._stands(regarding, one.event.reason):
                self._queue(one, now)
            else:
                self._seen.pop((regarding["uid"], one.event), None)

    def _make_room(self, key: tuple[str, str]) -> bool:
        """Drop an event of the namespace that has most; tell whether it is not the new one."""
        self._told("dropped")
        dropped = self._waiting.make_room(key)
        if dropped is None:
            return False
        _, (manifest, event) = dropped
        self._seen.pop((manifest["regarding"]["uid"], event), None)
        return True

    async def run(self) -> None:
        """Post what is recorded, one after the other, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._withheld.due_in(self._clock())):
                    await self._wanted.wait()
            self._release()
            if not self._waiting:
                self._wanted.clear()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_WAIT):
                    await self._quiet()
            await self.post()

    async def post(self) -> None:
        """Post the events that were recorded so far, while nothing else waits.

        The namespaces take turns, so that one with many events does not delay those of others.
        """
        self._release()
        for _ in range(min(len(self._waiting), _BATCH)):
            _, (manifest, _) = self._waiting.take()
            await self._post(manifest)
        if not self._waiting:
            self._wanted.clear()

    async def _post(self, manifest: Manifest) -> None:
        try:
            await self._client.create(EVENTS, manifest["metadata"]["namespace"], manifest)
            self._told("posted")
        except KubeError as error:
            going = isinstance(error, NotFound)  # with its namespace: there is nobody to tell
            going |= isinstance(error, Unavailable) and not error.passes_soon
            self._told("refused")
            level = logging.DEBUG if going else logging.WARNING
            _LOG.log(level, "An event was not recorded (%s): %s", manifest["reason"], error)

    def _is_news(self, uid: str, event: Event, now: float) -> bool:
        key = (uid, event)
        if now - self._seen.get(key, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self._seen[key] = now
        return True

    def _manifest(self, obj: Mapping[str, Any], event: Event, place: tuple[str, str]) -> Manifest:
        """Return an events.k8s.io/v1 Event; ``place`` is its namespace and name.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
        """
        meta, (namespace, name) = obj["metadata"], place
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"{MANAGER}.dev/operator",
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "type": event.type,
            "reason": event.reason,
            "note": event.message,
            "regarding": {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "resourceVersion": meta.get("resourceVersion", ""),
            },
        }
