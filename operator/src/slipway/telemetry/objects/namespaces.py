"""When the series of a namespace that has no object any more are dropped."""

import time
from collections.abc import Callable

_KEPT_SECONDS = 600.0
"""So long after a namespace's last object its series stay, for the last counts to be scraped."""


class LeftNamespaces:
    """Namespaces whose last object is gone; ``forget`` is called with each some time after."""

    def __init__(
        self, forget: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._forget = forget
        self._clock = clock
        self._left: dict[str, float] = {}

    def left(self, namespace: str) -> None:
        """Note that a namespace has no object."""
        self._left.setdefault(namespace, self._clock())
        self.drop()

    def used(self, namespace: str) -> None:
        """Note that a namespace has an object."""
        self._left.pop(namespace, None)

    def drop(self) -> None:
        """Forget the namespaces whose time has come."""
        over = self._clock() - _KEPT_SECONDS
        for namespace in [each for each, at in self._left.items() if at <= over]:
            del self._left[namespace]
            self._forget(namespace)
