"""Watching a collection of children: the list once, then every change, for as long as it goes.

kopf does the same for the kinds that users write. For each event it keeps a task, a logger and a
wrapper for what its handlers might ask for; children give twenty events for one that their owner
gives, and all that is wanted of them is their newest version in the cache.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import aiohttp

from slipway.kube.answers.bounds import parsed_if_light
from slipway.kube.answers.response import (
    as_object,
    check_page,
    is_named,
    metadata_of,
    paged,
    read_whole,
)
from slipway.kube.errors import KubeError, NotFound, from_status
from slipway.kube.resources import Resource
from slipway.plan import Manifest

_LOG = logging.getLogger(__name__)
_PAGE = 100
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_WAITS = (0.1, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between attempts that fail, one after the other; the last one stays."""
_SHORTEST_SECONDS = 1.0
"""A watch that ends sooner than this has failed, whatever the server says."""
_BATCH = 50
"""After so many events at once whatever else runs has its turn."""


Seen = Callable[[str, Manifest], None]
"""Takes in a change (``ADDED``, ``MODIFIED`` or ``DELETED``) and the object's version by it."""
Listed = Callable[[str], None]
"""Is told that the collection at a path has been listed in full."""
Query = Mapping[str, str]
"""Selectors of a request, by the names of its parameters."""
Skipped = Callable[[str], None]
"""Is told the kind of an object without a name, which is nobody's and is not taken in."""
Parts = Callable[[], Iterable[Query]]
"""Gives what to list, one after the other: together all that is wanted of the collection."""


class Watch:
    """A list and a watch of one collection; ``namespace`` "" means all.

    Where no more than ``parts`` is listed, the watch still tells of all that ``selector`` selects.
    The API server ends a watch after ``seconds``; it goes on from where it was. Only where the
    server has no longer all the changes since then is the collection listed again.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        collection: tuple[Resource, str],
        selector: str,
        seconds: int,
        parts: Parts | None = None,
        skipped: Skipped = lambda _: None,
    ) -> None:
        self._session = session
        self._resource, self._namespace = collection
        self._path = self._resource.path(self._namespace)
        self._url = f"{server}{self._path}"
        self._selector: Query = {"labelSelector": selector}
        self._parts = parts or (lambda: (self._selector,))
        self._seconds = seconds
        self._skipped = skipped
        self._version = ""

    async def run(self, seen: Seen, listed: Listed) -> None:
        """Watch until cancelled.

        A watch that fails, or that the server ends at once, is begun again ever less often.
        """
        failures = 0
        while True:
            followed = await self._round(seen, listed, _level(failures))
            if followed >= _SHORTEST_SECONDS:
                failures = 0
                continue
            await asyncio.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
            failures += 1

    async def _round(self, seen: Seen, listed: Listed, level: int) -> float:
        """List if need be, and watch until that ends; return for how many seconds it went on."""
        clock = asyncio.get_running_loop().time
        begun = math.inf
        try:
            if not self._version:
                self._version = await self._list(seen, listed)
            begun = clock()
            await self._follow(seen)
        except NotFound as error:
            _LOG.log(level, "The collection at %s is listed again: %s", self._path, error)
            self._version = ""
        except (KubeError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            text = str(error) or type(error).__name__
            _LOG.log(level, "The watch of %s failed: %s", self._path, text)
        return max(0.0, clock() - begun)

    async def _list(self, seen: Seen, listed: Listed) -> str:
        """Take in all parts, and return the version that the first one is of.

        The others may be newer: what changed between them is seen again, which is no news then.
        """
        versions = [await self._list_part(part, seen) for part in self._parts()]
        listed(self._path)
        return versions[0]

    async def _list_part(self, part: Query, seen: Seen) -> str:
        """Take in all objects, page by page, and return the version that they are of."""
        kind = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        version = ""
        async for page in paged(lambda more: self._page({**part, **more}), _PAGE):
            for item in page.get("items") or ():
                self._see(seen, "ADDED", {**kind, **as_object(item)})
            version = str(page["metadata"]["resourceVersion"])
        return version

    async def _page(self, query: dict[str, str]) -> Manifest:
        async with self._session.get(self._url, params=query, timeout=_LIST_TIMEOUT) as answer:
            body = await read_whole(answer)
            if answer.status >= 300:
                raise from_status(answer.status, body, answer.headers)
            check_page(body, int(query["limit"]))
            page = as_object(await parsed_if_light(body))
            if not metadata_of(page).get("resourceVersion"):
                raise ValueError("the answer is no list")
            return page

    async def _follow(self, seen: Seen) -> None:
        """Take in changes until the server ends the watch, or ``NotFound`` (410) is raised."""
        query = {
            **self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(self._seconds),
        }
        timeout = aiohttp.ClientTimeout(total=self._seconds + 30, sock_connect=10)
        async with self._session.get(self._url, params=query, timeout=timeout) as answer:
            if answer.status >= 300:
                raise from_status(answer.status, await answer.read(), answer.headers)
            async for lines in _lines(answer.content):
                await self._take_in(lines, seen)

    async def _take_in(self, lines: Iterable[bytes], seen: Seen) -> None:
        for number, line in enumerate(lines, 1):
            change, obj, version = _event(await parsed_if_light(line))
            if change == "ERROR":
                raise from_status(int(obj.get("code") or 500), line)
            self._version = version
            if change != "BOOKMARK":
                self._see(seen, change, obj)
            if number % _BATCH == 0:
                await asyncio.sleep(0)

    def _see(self, seen: Seen, change: str, obj: Manifest) -> None:
        """Take in an object, unless it cannot be told apart from others."""
        if is_named(obj):
            seen(change, obj)
        else:
            _LOG.warning("An object without a name at %s is skipped", self._path)
            self._skipped(self._resource.kind)


def _event(found: Any) -> tuple[str, Manifest, str]:
    """Return an event's type, object and version; raises ValueError for what is no event."""
    event = as_object(found)
    obj = as_object(event.get("object"))
    version = str(metadata_of(obj).get("resourceVersion") or "")
    if not version and event.get("type") != "ERROR":
        raise ValueError("the answer is no event of a watch")
    return str(event.get("type")), obj, version


def _level(failures: int) -> int:
    """Return the level at which to log a failure: one alone is a matter of course."""
    return logging.WARNING if failures else logging.INFO


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    """Yield whole lines, as many as have come at once, however long they are."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line for line in lines if line]
