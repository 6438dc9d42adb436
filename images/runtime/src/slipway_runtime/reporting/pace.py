"""How fast a training goes, and when it will be done: rates over the last minute of reports."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
"""How far back reports count; the last two always do."""


@dataclass(frozen=True)
class Pace:
    """Rates and what follows from them; None where they are not known yet.

    Steps and samples are those of all processes together, for each second.
    """

    steps_per_second: float | None = None
    samples_per_second: float | None = None
    eta_seconds: float | None = None


class Pacer:
    """Follows the reports of one process."""

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        self._window = window
        self._seen: deque[tuple[float, int, float]] = deque()

    def update(self, now: float, step: int, total: int | None, samples: float | None) -> Pace:
        """Take a report in: its time in seconds, its step, the planned end, and new samples.

        ``samples`` is how many were used up since the report before. A step that goes back begins
        the count anew.
        """
        seen = self._seen
        if seen and (step < seen[-1][1] or now <= seen[-1][0]):
            seen.clear()
        seen.append((now, step, (seen[-1][2] if seen else 0.0) + (samples or 0.0)))
        while len(seen) > 2 and seen[0][0] < now - self._window:
            seen.popleft()
        return self._pace(total, counted=samples is not None)

    def _pace(self, total: int | None, *, counted: bool) -> Pace:
        (begin, first, few), (end, last, many) = self._seen[0], self._seen[-1]
        if end <= begin:
            return Pace()
        rate = (last - first) / (end - begin)
        return Pace(
            steps_per_second=rate,
            samples_per_second=(many - few) / (end - begin) if counted else None,
            eta_seconds=max(0, total - last) / rate if total is not None and rate > 0 else None,
        )
