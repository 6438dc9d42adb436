"""Whether the operator is alive and ready: a watch that is dead is told from one that is quiet.

Each watch is ended by the API server after a known time and begun again, so even a quiet kind
shows signs of life at known intervals. A watch that shows none is dead.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

WatchKey = str
"""URL path of a watched collection."""


class WatchHealth:
    """Ages of the watches' last signs of life.

    An attempt of any outcome shows that the watch's loop runs: that is liveness, since a restart
    cannot mend an API server that is away. An answer shows that it gets through: readiness.
    ``left_out`` returns the watches that nobody is to wait for, as they may not be read.
    """

    def __init__(
        self,
        paths: Iterable[WatchKey],
        longest_silence: float,
        clock: Callable[[], float] = time.monotonic,
        left_out: Callable[[], Collection[str]] = lambda: (),
    ) -> None:
        self._clock = clock
        self._left_out = left_out
        self._longest = longest_silence
        self._begun = now = clock()
        self._attempts: dict[WatchKey, float] = dict.fromkeys(paths, now)
        self._answers: dict[WatchKey, float] = {}
        self._listed: set[WatchKey] = set()
        self._failing: set[WatchKey] = set()

    def attempt(self, path: WatchKey) -> None:
        """Note that a request for this collection ended, in whatever way."""
        if path in self._attempts:
            self._attempts[path] = self._clock()
            self._failing.add(path)

    def show_life(self) -> None:
        """Note an attempt for each collection: none may be read before its kind is served."""
        for path in self._attempts:
            self.attempt(path)

    def answer(self, path: WatchKey, *, listing: bool) -> None:
        """Note that the API server answered a listing or a watch of this collection."""
        if path in self._attempts:
            self._answers[path] = self._clock()
            self._failing.discard(path)
            if listing:
                self._listed.add(path)

    def ages(self) -> Mapping[WatchKey, float]:
        """Return the seconds since each watch's last answer; since the start where it had none."""
        now = self._clock()
        return {path: now - self._answers.get(path, self._begun) for path in self._attempts}

    def dead(self) -> list[str]:
        """Return a sentence for each watch whose loop seems to have stopped."""
        now = self._clock()
        return [
            f"The watch of {path} has shown no sign of life for {now - at:.0f} s."
            for path, at in self._attempts.items()
            if now - at > self._longest
        ]

    def behind(self) -> list[WatchKey]:
        """Return the watches that are not listed yet, or whose last request failed."""
        behind = (self._attempts.keys() - self._listed) | self._failing
        return sorted(behind.difference(self._left_out()))

    def stale(self) -> list[str]:
        """Return a sentence for each watch that is not listed yet or has had no answer for long."""
        left_out = self._left_out()
        ages = {path: age for path, age in self.ages().items() if path not in left_out}
        unlisted = [f"{path} is not listed yet." for path in ages.keys() - self._listed]
        old = [
            f"The API server has not answered the watch of {path} for {age:.0f} s."
            for path, age in ages.items()
            if age > self._longest and path in self._listed
        ]
        return sorted(unlisted) + old
