"""How long the steps of a command took, to tell how long the next run has left."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev import paths

SHIPPED = Path(__file__).with_name("durations.json")
"""Figures of a first run on two processors, for a machine that has none of its own."""


@dataclass
class Run:
    """One run of a command, beside an earlier one.

    ``earlier`` maps a step to when it began in that run, and how long it took, in seconds.
    """

    earlier: Mapping[str, tuple[float, float]]
    began: float
    steps: dict[str, tuple[float, float]] = field(default_factory=dict)

    def note(self, what: str, start: float, seconds: float) -> None:
        """Note a step that has ended; ``start`` is by the clock that gave ``began``."""
        self.steps[what] = (start - self.began, seconds)

    def position(self, active: Mapping[str, float]) -> tuple[int, int]:
        """Return which step the newest active one is, and how many there will be."""
        begun = self.steps.keys() | active.keys()
        return len(begun), len(begun | self.earlier.keys())

    def seconds_left(self, active: Mapping[str, float], now: float) -> float | None:
        """Return how long is left by the earlier run; None where that does not tell.

        Where that run was at this point is told by the steps that are done, and by how far those
        are that go on; steps may overlap.
        """
        ends = [sum(self.earlier[what]) for what in self.steps if what in self.earlier]
        for what, start in active.items():
            if what in self.earlier:
                before, seconds = self.earlier[what]
                ends.append(before + min(now - start, seconds))
        if not ends:
            return None
        return max(sum(each) for each in self.earlier.values()) - max(ends)


def load(command: str, now: float) -> Run:
    """Return a run of a command that begins now, with the figures of the one before."""
    for path in (_own(command), SHIPPED):
        try:
            earlier = json.loads(path.read_text())[command]
            return Run({what: (float(a), float(b)) for what, (a, b) in earlier.items()}, now)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return Run({}, now)


def save(command: str, run: Run) -> None:
    """Keep the figures of a run that has ended well."""
    if run.steps:
        path = _own(command)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({command: run.steps}, indent=1))


def _own(command: str) -> Path:
    return paths.cache() / "durations" / f"{command}.json"
