"""Which kinds the cluster serves, asked for when they are needed."""

import time
from collections.abc import Callable
from typing import Protocol

from slipway.kube.errors import NotFound
from slipway.plan import Manifest

_SERVED_SECONDS, _MISSING_SECONDS = 300.0, 5.0


class Requests(Protocol):
    """Sends one request to the API server."""

    async def request(self, method: str, path: str) -> Manifest:
        """Return the answer's JSON; raises a ``KubeError``."""


class Discovery:
    """Answers whether a kind is served, and remembers it: longer if it is than if it is not."""

    def __init__(self, client: Requests, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    async def serves(self, api_version: str, kind: str) -> bool:
        """Tell whether the API server has a kind of a group, such as ``batch/v1`` and ``Job``.

        Raises a ``KubeError`` where it does not answer.
        """
        until, kinds = self._known.get(api_version, (0.0, frozenset[str]()))
        if self._clock() >= until:
            kinds = await self._kinds(api_version)
            stays = _SERVED_SECONDS if kind in kinds else _MISSING_SECONDS
            self._known[api_version] = (self._clock() + stays, kinds)
        return kind in kinds

    async def _kinds(self, api_version: str) -> frozenset[str]:
        try:
            found = await self._client.request("get", f"/apis/{api_version}")
        except NotFound:
            return frozenset()
        return frozenset(resource["kind"] for resource in found.get("resources") or ())
