"""What a namespace's administrator says by its labels: read when it matters, kept for a while."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from cachetools import TTLCache

from slipway.kube.errors import Rejected
from slipway.kube.resources import NAMESPACES
from slipway.plan import Manifest, ObjectRef
from slipway.pods.standard import ENFORCE
from slipway.settings import VERIFICATION

ASKED = frozenset({ENFORCE, VERIFICATION})
"""The labels that are kept: a namespace may have any number of others."""
_KNOWN_SECONDS = 30.0
_MOST = 4096


class Reader(Protocol):
    """Reads one object from the API server."""

    async def get(self, ref: ObjectRef) -> Manifest | None:
        """Return an object, or None where there is none."""


class NamespaceLabels:
    """The labels of namespaces, which belong to who may change namespaces."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._known: TTLCache[str, Mapping[str, str]] = TTLCache(_MOST, _KNOWN_SECONDS, timer=clock)

    async def value(self, namespace: str, label: str) -> str | None:
        """Return the value of a namespace's label of those in ``ASKED``; None where it has none.

        None too where the operator may not read the namespace: the label then says nothing.
        """
        known = self._known.get(namespace)
        if known is None:
            self._known[namespace] = known = await self._read(namespace)
        return known.get(label)

    async def _read(self, namespace: str) -> Mapping[str, str]:
        ref = ObjectRef(NAMESPACES.api_version, NAMESPACES.kind, "", namespace)
        try:
            found = await self._reader.get(ref)
        except Rejected:
            return {}
        labels = (found or {}).get("metadata", {}).get("labels") or {}
        return {name: str(labels[name]) for name in ASKED if name in labels}
