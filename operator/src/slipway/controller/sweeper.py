"""Finding what the watches missed.

kopf lists a kind anew when the API server no longer has the changes since its last event, and then
reports what there is, but not what went away meanwhile. So after such a listing, and every now and
then in any case, the cache is compared with a listing of metadata.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator

from slipway.controller.queue import backoff
from slipway.controller.watches import Intake
from slipway.kube.cache import Cache
from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import CHILD_SELECTOR, OWN, WATCHED, Resource

_LOG = logging.getLogger(__name__)


def watched_paths(
    namespaces: tuple[str, ...], resources: tuple[Resource, ...] = WATCHED
) -> dict[str, tuple[Resource, str]]:
    """Return the watched collections by URL path; no namespaces means the whole cluster."""
    return {
        resource.path(namespace): (resource, namespace)
        for resource in resources
        for namespace in namespaces or ("",)
    }


class Sweeper:
    """Drops from the cache what is not in the cluster any more, and wakes whom that concerns."""

    def __init__(
        self, client: Client, cache: Cache, intake: Intake, namespaces: tuple[str, ...]
    ) -> None:
        self._client = client
        self._cache = cache
        self._intake = intake
        self._paths = watched_paths(namespaces)
        self._listed: set[str] = set()
        self._wanted: set[str] = set()
        self._requested = asyncio.Event()
        self._failures = 0

    def listed(self, path: str) -> None:
        """Note that a watch listed its collection; each time but the first asks for a sweep."""
        self._intake.listed(path)
        if path in self._listed:
            self._want((path,))
        self._listed.add(path)

    async def run(self, period: float) -> None:
        """Sweep when asked to, and all collections once in ``period`` seconds, until cancelled."""
        await self._intake.synced.wait()
        while True:
            try:
                async with asyncio.timeout(period):
                    await self._requested.wait()
            except TimeoutError:
                self._wanted.update(self._paths)
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
            await self.sweep(*self._paths[path])
        except KubeError as error:
            _LOG.warning("The watched objects at %s were not compared: %s", path, error)
            return False
        return True

    async def sweep(self, resource: Resource, namespace: str) -> int:
        """Compare one collection, and return how many objects were gone."""
        selector = "" if resource in OWN else CHILD_SELECTOR
        there, version = await self._client.uids(resource, namespace, selector)
        gone = [
            (ref, uid)
            for ref, uid, known in self._cache.uids(resource.kind, namespace or None)
            if uid not in there and known <= version
        ]
        for ref, uid in gone:
            self._intake.lost(ref, uid, version)
        return len(gone)
