"""Load at an exact rate by vegeta, and the account of each answer."""

import base64
import json
import math
import re
import resource
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dev import gotools
from tests.harness.waiting import wait_for

_TURN_SECONDS = 5.0
"""Longest time of one of the attacks that make up a number of requests."""
_FEW = 500
"""A first attack for so many requests or fewer is a second long."""
_MOST_BODY = 256
"""How many bytes of each answer are kept."""
_LONGEST = "60m"
"""How long a load goes on at most, should nobody be left to end it."""


@dataclass
class Answers:
    """How requests ended.

    ``endings`` are HTTP status codes as text or, without an answer, what went wrong; ``bodies``
    are the good answers' texts; ``times`` their times in seconds, in the order of sending.
    ``sender_cpu`` is the processor time in seconds that sending took.
    ``refusals`` are the texts of answers that were not good.
    ``moments`` are when all requests were sent and ``losses`` when those that got no 200 were, with
    their endings; both in seconds since 1970.
    """

    endings: Counter[str] = field(default_factory=Counter)
    bodies: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    losses: list[tuple[float, str]] = field(default_factory=list)
    seconds: float = 0.0
    sender_cpu: float = 0.0

    @property
    def total(self) -> int:
        """The number of requests."""
        return self.endings.total()

    @property
    def lost(self) -> dict[str, int]:
        """What ended otherwise than with 200."""
        return {ending: count for ending, count in self.endings.items() if ending != "200"}

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.endings["200"] / self.seconds if self.seconds else 0.0

    def add(self, other: "Answers") -> None:
        """Add what another attack found, as if it had followed at once."""
        self.endings += other.endings
        self.bodies += other.bodies
        self.refusals += other.refusals
        self.times += other.times
        self.moments += other.moments
        self.losses += other.losses
        self.seconds += other.seconds
        self.sender_cpu += other.sender_cpu

    def quantile(self, share: float) -> float:
        """Return the time in seconds in which a share of the good answers came (nearest rank)."""
        ordered = sorted(self.times)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Target:
    """What is asked: a URL, with POST and a JSON body.

    ``network`` is a process of this machine whose network the load is sent from (root only).
    """

    url: str
    body: Any
    headers: tuple[str, ...] = ()
    network: int | None = None

    def command(self, folder: Path, *options: str) -> list[str]:
        """Return the command line that attacks it; results go to ``results`` in the folder."""
        (folder / "body").write_text(json.dumps(self.body))
        (folder / "targets").write_text(f"POST {self.url}\n")
        headers = ("content-type: application/json", *self.headers)
        inside = ["nsenter", f"--target={self.network}", "--net"] if self.network else []
        return [
            *inside,
            str(gotools.path("vegeta")),
            "attack",
            f"-targets={folder / 'targets'}",
            f"-body={folder / 'body'}",
            f"-output={folder / 'results'}",
            f"-max-body={_MOST_BODY}",
            "-timeout=60s",
            *(f"-header={header}" for header in headers),
            *options,
        ]


def attack(target: Target, rate: float, seconds: float, *options: str) -> Answers:
    """Send requests at a steady rate (an open loop; 0: as fast as answers come) for some time."""
    gotools.ensure(["vegeta"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pace = (f"-rate={round(rate)}/1s", f"-duration={seconds:g}s")
        begun = _children_cpu()
        subprocess.run(target.command(folder, *pace, *options), check=True)
        used = _children_cpu() - begun
        answers = _read(folder / "results")
        answers.sender_cpu = used
        return answers


def _children_cpu() -> float:
    """Return the processor time of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def attack_until(target: Target, count: int, at_once: int = 8) -> Answers:
    """Send at least ``count`` requests, each as soon as one before it was answered."""
    options = (f"-max-workers={at_once}", f"-workers={at_once}")
    whole = attack(target, 0, 1 if count <= _FEW else _TURN_SECONDS, *options)
    while whole.total < count:
        missing = (count - whole.total) / max(1.0, whole.total / whole.seconds)
        whole.add(attack(target, 0, min(_TURN_SECONDS, max(1.0, missing)), *options))
    return whole


@contextmanager
def attacking(target: Target, rate: float, *options: str) -> Iterator[Answers]:
    """Send requests at a steady rate until the block ends; then the account is complete.

    The first has been answered when the block begins.
    """
    gotools.ensure(["vegeta"])
    answers = Answers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pace = (f"-rate={round(rate)}/1s", f"-duration={_LONGEST}")
        process = subprocess.Popen(target.command(folder, *pace, *options))
        results = folder / "results"
        try:
            wait_for(lambda: results.exists() and results.stat().st_size, 120, "the load begins")
            yield answers
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)
        answers.__dict__.update(_read(results).__dict__)


def _read(results: Path) -> Answers:
    argv = [str(gotools.path("vegeta")), "encode", "--to=json", str(results)]
    answers, begin, end = Answers(), math.inf, 0.0
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            one = json.loads(line)
            moment = _epoch(one["timestamp"])
            _note(answers, one, moment)
            begin, end = min(begin, moment), max(end, moment + one["latency"] / 1e9)
    answers.seconds = max(0.0, end - begin)
    return answers


def _note(answers: Answers, one: Any, moment: float) -> None:
    ending = str(one["code"]) if one["code"] else one["error"]
    answers.endings[ending] += 1
    answers.moments.append(moment)
    text = base64.b64decode(one["body"] or "").decode(errors="replace")
    if one["code"] != 200:
        answers.losses.append((moment, ending))
        answers.refusals[text] += 1
    else:
        answers.bodies[text] += 1
        answers.times.append(one["latency"] / 1e9)


def _epoch(timestamp: str) -> float:
    """Return a time of vegeta's in seconds since 1970; the nanoseconds are cut to microseconds."""
    text = re.sub(r"([.][0-9]{1,6})[0-9]*", r"\1", timestamp)
    return datetime.fromisoformat(text).timestamp()
