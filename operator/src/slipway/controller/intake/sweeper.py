"""Finding what the watches missed, and when they have missed nothing.

kopf does not tell when it has listed a kind in full and handed all of it over: the first time, its
objects are compared with a listing of metadata until none is missing. When the API server no longer
has the changes since its last event, kopf lists a kind anew, and then reports what there is, but
not what went away meanwhile. So after such a listing, and every now and then in any case, the cache
is compared in the same way.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping

from slipway.controller.intake.watches import Intake
from slipway.controller.intake.worth_listing import pods_worth_listing
from slipway.controller.loop.work_queue import backoff
from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import CHILD_SELECTOR, OWN, PODS, WATCHED, Resource
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.watch import Query
from slipway.plan import ObjectRef

_LOG = logging.getLogger(__name__)
Version = tuple[ObjectRef, str, int]
"""A known object's reference, UID and resourceVersion."""
_HANDED_OVER_SECONDS = 0.2
"""How often the cache is looked at until kopf has handed over what it listed first."""
_RELIST_SECONDS = 10.0
"""After so long without any of what is missing it is listed again: it may be gone."""


def watched_paths(
    namespaces: tuple[str, ...], resources: tuple[Resource, ...] = WATCHED
) -> dict[str, tuple[Resource, str]]:
    """Return the watched collections by URL path; no namespaces means the whole cluster."""
    return {
        resource.path(namespace): (resource, namespace)
        for resource in resources
        for namespace in namespaces or ("",)
    }


class RestoredError(Exception):
    """The cluster was restored to an earlier state: what the cache has of it never came to be."""


class Sweeper:
    """Drops from the cache what is not in the cluster any more, and wakes whom that concerns."""

    def __init__(
        self, client: Client, cache: Cache, intake: Intake, namespaces: tuple[str, ...]
    ) -> None:
        self._client = client
        self._cache = cache
        self._intake = intake
        self._paths = watched_paths(namespaces)
        self._unsure = set(watched_paths(namespaces, OWN))
        self._listed: set[str] = set()
        self._versions: dict[str, int] = {}
        self._wanted: set[str] = set()
        self._requested = asyncio.Event()
        self._failures = 0

    def listed(self, path: str) -> None:
        """Note that a watch listed its collection.

        It is compared each time but the first; one that kopf listed is compared the first time too.
        """
        if path not in self._unsure:
            self._intake.listed(path)
        if path in self._listed | self._unsure:
            self._want((path,))
        self._listed.add(path)

    async def run(self, period: float) -> None:
        """Sweep when asked to, and all collections once in ``period`` seconds, until cancelled.

        Raises RestoredError once only a new start mends what is known.
        """
        while True:
            try:
                async with asyncio.timeout(period):
                    await self._requested.wait()
            except TimeoutError:
                self._wanted.update(self._paths if self._intake.synced.is_set() else ())
            self._requested.clear()
            failed = {path for path in self._taken() if not await self._try_sweep(path)}
            if failed:
                asyncio.get_running_loop().call_later(self._pause(), self._want, failed)
            else:
                self._failures = 0

    def _taken(self) -> Iterator[str]:
        while self._wanted:
            yield self._wanted.pop()

    def _want(self, paths: Iterable[str]) -> None:
        self._wanted.update(paths)
        self._requested.set()

    def _pause(self) -> float:
        """Return how many seconds to wait before what failed is tried again."""
        self._failures += 1
        return backoff(self._failures)

    async def _try_sweep(self, path: str) -> bool:
        try:
            if path in self._unsure:
                await self._make_sure(path)
            else:
                await self.sweep(*self._paths[path])
        except KubeError as error:
            _LOG.warning("The watched objects at %s were not compared: %s", path, error)
            return False
        return True

    async def _make_sure(self, path: str) -> None:
        """Wait until what kopf listed first, and what is still there, has been handed over."""
        resource, namespace = self._paths[path]
        while there := await self._missing(resource, namespace):
            await self._handed_over(there, resource, namespace)
        self._unsure.discard(path)
        self._intake.listed(path)

    async def _missing(self, resource: Resource, namespace: str) -> set[str]:
        """Return the UIDs of the objects of one of our own kinds that the cache lacks."""
        there, _ = await self._client.uids(resource, namespace, {})
        return there.keys() - self._known(resource, namespace)

    def _known(self, resource: Resource, namespace: str) -> set[str]:
        """Return the UIDs of what was handed over, be it in vain: that is not waited for."""
        known = {uid for _, uid, _ in self._cache.uids(resource.kind, namespace or None)}
        return known.union(self._unhandled(resource, namespace))

    def _unhandled(self, resource: Resource, namespace: str) -> dict[str, int]:
        """Return UID and version of what could not be taken in."""
        return {
            uid: version
            for uid, (ref, version) in self._cache.unhandled.items()
            if ref.kind == resource.kind and namespace in ("", ref.namespace)
        }

    async def _handed_over(self, missing: set[str], resource: Resource, namespace: str) -> None:
        """Wait until the cache has all that is missing, or has got none of it for a while."""
        clock = asyncio.get_running_loop().time
        until = clock() + _RELIST_SECONDS
        while missing and clock() < until:
            await asyncio.sleep(_HANDED_OVER_SECONDS)
            left = missing - self._known(resource, namespace)
            if len(left) < len(missing):
                missing, until = left, clock() + _RELIST_SECONDS

    async def sweep(self, resource: Resource, namespace: str) -> int:
        """Compare one collection, and return how many objects were gone; raises RestoredError."""
        there, version = await self._there(resource, namespace)
        known_before = [
            one for one in self._cache.uids(resource.kind, namespace or None) if one[2] <= version
        ]
        self._check_history(resource.path(namespace), version, there, known_before)
        gone = [(ref, uid) for ref, uid, _ in known_before if uid not in there]
        for ref, uid in gone:
            self._intake.lost(ref, uid, version)
        for uid, known in self._unhandled(resource, namespace).items():
            if uid not in there and known <= version:
                del self._cache.unhandled[uid]
        return len(gone)

    def _check_history(
        self, path: str, version: int, there: Mapping[str, int], known: Iterable[Version]
    ) -> None:
        """Raise RestoredError for a listing that is older than one before it, or has older objects.

        A list has no object as it was before a version that is older than the list. It can only be
        so where somebody has put a backup in place of what there was.
        """
        if version < self._versions.get(path, 0) or any(
            there.get(uid, before) < before for _, uid, before in known
        ):
            raise RestoredError(f"{path} was restored to an earlier state")
        self._versions[path] = version

    async def _there(self, resource: Resource, namespace: str) -> tuple[dict[str, int], int]:
        """Return UID and version of what is watched of a collection, and the listing's version."""
        queries: Iterable[Query] = ({} if resource in OWN else {"labelSelector": CHILD_SELECTOR},)
        if resource in PODS:
            queries = pods_worth_listing(self._cache.going_on(namespace or None))
        parts = [await self._client.uids(resource, namespace, query) for query in queries]
        there: dict[str, int] = {}
        for found, _ in parts:
            there |= found
        return there, parts[0][1]
