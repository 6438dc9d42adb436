"""From the watches to the cache and the work queue: what changed, and whom it concerns."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slipway.controller.intake.left_out import LeftOut, namespace_of
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.resources import MODEL_DEPLOYMENTS, OWN, TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.identity import owner_of, uid_of, version_of
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.objects.handling import Handling

_LOG = logging.getLogger(__name__)
_OWN_KINDS = {resource.kind: resource for resource in OWN}
_DEBOUNCE_OWN, _DEBOUNCE_CHILD = 0.1, 0.7
"""Changes come in bursts; one reconcile answers those within so many seconds."""


class Intake:
    """Takes in what the watches see. ``synced`` is set once all kinds are listed in full.

    ``tell`` is called with the version before and the new version of what changed, if any: not of
    what names an owner that is not there, which anybody may have forged by the thousand.
    ``unlisted`` are the paths of the collections that ``listed`` will be told of; once only the
    ``last`` of them are left, ``owners_listed`` is set.
    Namespaces that may not be read are ``left_out``.
    ``server_updates`` ModelDeployments may follow a new release at a time.
    What is unforeseen at one object is ``handling``'s, and keeps nobody from the others.
    """

    def __init__(
        self,
        cache: Cache,
        queue: WorkQueue[ObjectRef],
        tell: Callable[[Manifest | None, Manifest | None], None] = lambda *_: None,
        unlisted: Iterable[str] = (),
        last: Iterable[str] = (),
        server_updates: int = 1,
        handling: Handling | None = None,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._told = tell
        self._handling = handling or Handling()
        self._unlisted, self._last = set(unlisted), frozenset(last)
        self._server_updates = server_updates
        self.left_out = LeftOut(self._unlisted, self._last)
        self._unknown: set[str] = set()
        self.owners_listed, self.synced = asyncio.Event(), asyncio.Event()
        self._returned = asyncio.Event()
        self._look_around()

    def listed(self, path: str) -> None:
        """Note that a collection is listed in full, and taken in."""
        self._unlisted.discard(path)
        self._look_around()

    def forbidden(self, path: str) -> None:
        """Note that a collection may not be read: no other namespace waits for it any more.

        That is so where nothing of its namespace may be read.
        """
        self.left_out.forbidden(path)
        unknown = self.left_out.paths() & self._unlisted
        if unknown:
            _LOG.warning("Left out, as they may not be read: %s", ", ".join(sorted(unknown)))
            self._unknown |= unknown
            self._cache.unknown.update(map(namespace_of, unknown))
            self._unlisted -= unknown
            self._look_around()

    def answered(self, path: str) -> None:
        """Note that a collection was read, be it one that was left out before."""
        self.left_out.answered(path)
        if path in self._unknown:
            self._returned.set()

    async def until_returned(self) -> None:
        """Wait until a namespace may be read that was left out: only a new start takes it in."""
        await self._returned.wait()

    def going_on(self, namespace: str) -> Iterator[str]:
        """Yield the names of TrainingJobs that have not ended; no namespace means everywhere."""
        return self._cache.going_on(namespace or None)

    def unsettled(self, namespace: str) -> Iterator[str]:
        """Yield the names of TrainingJobs whose Jobs are to be listed; none means everywhere."""
        return self._cache.unsettled(namespace or None)

    def _look_around(self) -> None:
        if self._unlisted <= self._last:
            self.owners_listed.set()
        if not self._unlisted and not self.synced.is_set():
            self.synced.set()
            self.wake_all()

    def seen(self, change: str | None, obj: Mapping[str, Any]) -> None:
        """Take in a change; while the first listings are not complete, it wakes nobody.

        Of an object that cannot be taken in the version before is known still, if there was one.
        """
        ref, uid = ObjectRef.of(obj), uid_of(obj)
        if change == "DELETED":
            self._cache.unhandled.pop(uid, None)
        else:
            self._cache.unhandled[uid] = ref, version_of(obj)
        with self._handling.of(ref, "watch"):
            self._see(change, ref, obj)
            self._cache.unhandled.pop(uid, None)

    def _see(self, change: str | None, ref: ObjectRef, obj: Mapping[str, Any]) -> None:
        if not self.synced.is_set() and change != "DELETED":
            self._cache.feed(obj)
            return
        if change == "DELETED":
            news = self._cache.remove(ref, uid_of(obj), version_of(obj))
            # An answer to the operator may have told it before: what follows is due all the same.
            news |= ref.kind in _OWN_KINDS and ref not in self._cache
            if news:
                self._tell(dict(obj), None)
        else:
            news = self._take_in(ref, obj)
        if news:
            self.wake(obj)
        else:
            self._wake_servers(obj)
            self._wake_next(obj)

    def _take_in(self, ref: ObjectRef, obj: Mapping[str, Any]) -> bool:
        """Take in a version, and tell of it if it is news; a namesake before it is gone then."""
        before = self._cache.get(ref)
        if not self._cache.feed(obj):
            return False
        if before is not None and uid_of(before) != uid_of(obj):
            self._tell(before, None)
            before = None
        if before is None or _generation(before) != _generation(obj):
            self._queue.forgive(ref)
        if all(owner in self._cache for owner in self._concerned(obj)):
            self._tell(before, dict(obj))
        return True

    def _tell(self, before: Manifest | None, after: Manifest | None) -> None:
        """Tell of a change; where that fails, those whom it concerns are woken all the same."""
        obj = before if after is None else after
        if obj is not None:
            with self._handling.of(ObjectRef.of(obj), "metrics"):
                self._told(before, after)

    def lost(self, ref: ObjectRef, uid: str, version: int) -> None:
        """Take in that an object was found to be gone at a version, and wake whom it concerns."""
        with self._handling.of(ref, "comparison"):
            before = self._cache.get(ref)
            if before is not None and self._cache.remove(ref, uid, version):
                self._tell(before, None)
                self.wake(before)

    def wake(self, obj: Mapping[str, Any]) -> None:
        """Queue all those whom a change of an object concerns."""
        delay = _DEBOUNCE_OWN if obj["kind"] in _OWN_KINDS else _DEBOUNCE_CHILD
        for key in self._concerned(obj):
            self._queue.add(key, delay)
        self._wake_servers(obj)
        self._wake_next(obj)

    def wake_all(self) -> None:
        """Queue all objects of our own kinds."""
        for kind in _OWN_KINDS:
            for ref in self._cache.refs(kind):
                self._queue.add(ref, background=True)

    def _concerned(self, obj: Mapping[str, Any]) -> Iterator[ObjectRef]:
        if obj["kind"] in _OWN_KINDS:
            yield ObjectRef.of(obj)
        elif owner := owner_of(obj):
            version = _OWN_KINDS[owner.kind].api_version
            yield ObjectRef(version, owner.kind, owner.namespace, owner.name)

    def _wake_servers(self, job: Mapping[str, Any]) -> None:
        """Queue those that serve a TrainingJob's model, and the jobs that wait for it.

        The job's own status writes reach the cache before the watch shows them: they are no news
        to the job, but they are to these.
        """
        if job["kind"] != TRAINING_JOBS.kind:
            return
        for ref in self._cache.servers.of(job):
            self._queue.add(ref, _DEBOUNCE_OWN)

    def _wake_next(self, deployment: Mapping[str, Any]) -> None:
        """Queue the ModelDeployments whose turn it is to follow a new release of the operator."""
        if deployment["kind"] == MODEL_DEPLOYMENTS.kind:
            for ref in self._cache.turns.next(self._server_updates):
                self._queue.add(ref, _DEBOUNCE_OWN)


def _generation(obj: Mapping[str, Any]) -> int:
    """Return the number of an object's spec, which grows with each change of it."""
    return int(obj["metadata"].get("generation") or 0)
