"""Served namespaces that may not be read: one that is deleted takes the operator's Role along.

The others are not to wait for it. What it has is unknown then, so nothing is done for it until the
operator begins anew, which it does when the namespace may be read again.
"""

import re
import time
from collections.abc import Callable, Iterable

_NAMESPACE = re.compile(r"/namespaces/([^/]+)/")
_PATIENCE_SECONDS = 20.0
"""For so long all collections of a namespace must have been forbidden: an API server that starts
forbids for a moment what it allows afterwards."""


def namespace_of(path: str) -> str:
    """Return the namespace of a collection by its URL path; empty for the whole cluster."""
    found = _NAMESPACE.search(path)
    return found[1] if found else ""


class LeftOut:
    """Which namespaces may not be read, by what the API server answered for each collection.

    ``paths`` are the URL paths of all collections; ``last`` those of them that are asked for once
    the others are listed.
    """

    def __init__(
        self,
        paths: Iterable[str],
        last: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._namespaces: dict[str, set[str]] = {}
        self._last = frozenset(last)
        for path in paths:
            if namespace := namespace_of(path):
                self._namespaces.setdefault(namespace, set()).add(path)

    def forbidden(self, path: str) -> None:
        """Note that a collection may not be read."""
        self._since.setdefault(path, self._clock())

    def answered(self, path: str) -> None:
        """Note that a collection was read."""
        self._since.pop(path, None)

    def paths(self) -> frozenset[str]:
        """Return all collections of the namespaces of which nothing may be read."""
        if not self._since:
            return frozenset()
        before = self._clock() - _PATIENCE_SECONDS
        old = {path for path, since in self._since.items() if since <= before}
        left_out = (mine for mine in self._namespaces.values() if mine - self._last <= old)
        return frozenset().union(*left_out)
