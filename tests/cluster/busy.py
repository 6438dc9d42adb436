"""A machine that is short of processor time, and what is seen of a deployment on it meanwhile."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.cluster import layout
from tests.cluster.support import Space, condition
from tests.harness import KubectlError, Object

LOOP = """import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(100_000))"""
"""Computes until the process that began it is gone."""
PAUSE = 0.5
"""Seconds between two looks at Ready and the pods."""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Have so many processes compute without end until the block ends.

    They share one session, as a build's do, so that Linux' autogroups give all of them together as
    much as one of the control plane's programs.
    """
    running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait(120)


@dataclass
class Witness:
    """What was seen of a deployment.

    ``sources`` are the errors in its Envoys' logs: code, response flags and details. ``lapses`` are
    spans, in seconds, in which Ready was true and no pod was ready; ``looks`` how often that was
    looked at.
    """

    space: Space
    name: str
    sources: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    lapses: list[float] = field(default_factory=list)
    looks: int = 0
    _read: dict[Path, int] = field(default_factory=dict)
    _begun: float | None = None

    @property
    def longest_lapse(self) -> float:
        """The longest time in which Ready was true and no pod was ready, in seconds."""
        return max(self.lapses, default=0.0)

    def look(self) -> None:
        """Look once."""
        pods = self.space.pods(f"slipway.dev/model-deployment={self.name}")
        deployment = self.space.deployment(self.name)
        self._judge(_is_ready(deployment) and not any(map(_is_ready, pods)))
        for path in layout.STATE.glob(f"logs/pods/{self.space.name}_*/envoy/*.log"):
            self._count(path)
        self.looks += 1

    def _judge(self, lapse: bool) -> None:
        now = time.monotonic()
        if lapse and self._begun is None:
            self._begun = now
        elif not lapse and self._begun is not None:
            self.lapses.append(now - self._begun)
            self._begun = None

    def _count(self, path: Path) -> None:
        """Count the errors of a log's new lines, whose first words are the runtime's own."""
        with path.open() as log:
            log.seek(self._read.get(path, 0))
            for line in log:
                if '"flags"' in line and line.endswith("\n"):
                    entry = json.loads(line[line.index("{") :])
                    self.sources[entry["code"], entry["flags"], entry["details"]] += 1
            self._read[path] = log.tell()


def _is_ready(it: Object) -> bool:
    return condition(it, "Ready").get("status") == "True"


@contextmanager
def watched(space: Space, name: str) -> Iterator[Witness]:
    """Look at a deployment again and again until the block ends."""
    witness, over = Witness(space, name), threading.Event()

    def watch() -> None:
        while not over.wait(PAUSE):
            try:
                witness.look()
            except (KubectlError, OSError):
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield witness
    finally:
        over.set()
        thread.join(60)
