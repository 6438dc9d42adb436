"""What a namespace's administrator says of its pods: read when it matters, remembered shortly."""

import time
from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache

from slipway.kube.errors import Rejected
from slipway.kube.resources import NAMESPACES
from slipway.plan import Manifest, ObjectRef
from slipway.pods.standard import ENFORCE

_KNOWN_SECONDS = 30.0
_MOST = 4096


class Reader(Protocol):
    """Reads one object from the API server."""

    async def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object, or None where there is none."""


class PodSecurity:
    """The Pod Security levels that namespaces enforce by their labels."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._known: TTLCache[str, str | None] = TTLCache(_MOST, _KNOWN_SECONDS, timer=clock)

    async def enforced(self, namespace: str) -> str | None:
        """Return the level that a namespace's label names; None where it names none.

        None too where the operator may not read the namespace: the label then allows nothing.
        """
        if namespace not in self._known:
            self._known[namespace] = await self._read(namespace)
        return self._known[namespace]

    async def _read(self, namespace: str) -> str | None:
        ref = ObjectRef(NAMESPACES.api_version, NAMESPACES.kind, "", namespace)
        try:
            found = await self._reader.get(ref)
        except Rejected:
            return None
        labels = (found or {}).get("metadata", {}).get("labels") or {}
        level = labels.get(ENFORCE)
        return None if level is None else str(level)
