"""A machine that is short of processor time loses no request while pods and traffic move.

``make busy`` plays each move 20 times and prints the table.
"""

import os
import time
from dataclasses import dataclass, field

import pytest

from tests.cluster import toy
from tests.cluster.attack import Answers, attacking
from tests.cluster.busy import busy, watched
from tests.cluster.moves import NAME, ROLLING, Served, promote, roll, scale
from tests.cluster.support import Space
from tests.harness import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.long]

TURNS = int(os.environ.get("SLIPWAY_BUSY_TURNS", "1"))
PROCESSES = int(os.environ.get("SLIPWAY_BUSY_PROCESSES", "15"))
"""Processes that compute without end beside the cluster: the load of the machine."""
RATE = 50
"""Requests a second."""
LONGEST_LAPSE = 5.0
"""Seconds in which Ready may be true though no pod is: the kubelet, the Deployment's controller and
the operator hear of it one after the other."""
MOVES = (roll, promote, scale)


@dataclass
class Turns:
    """All turns of one move: their seconds, requests, losses and slowest answers."""

    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    lost: int = 0

    def add(self, begin: float, end: float, answers: Answers) -> None:
        """Add a turn, from ``begin`` to ``end`` in seconds since 1970."""
        self.seconds.append(end - begin)
        self.requests += sum(begin <= moment < end for moment in answers.moments)
        self.lost += sum(begin <= moment < end for moment, _ in answers.losses)

    def line(self, name: str) -> str:
        """Return the move's line of the table."""
        mean = sum(self.seconds) / len(self.seconds)
        return f"| {name} | {len(self.seconds)} | {mean:.0f} s | {self.requests} | {self.lost} |"


@pytest.fixture(scope="module")
def served(shared: Space, cluster: Cluster) -> Served:
    """The deployment that is moved, ready."""
    found = Served(shared, toy.put(cluster))
    found.apply(ROLLING, ANSWER="first")
    shared.wait_until_ready(NAME)
    return found


def test_no_request_is_lost_and_ready_is_true_on_a_busy_machine(served: Served) -> None:
    spans = []
    with (
        busy(PROCESSES),
        watched(served.space, NAME) as witness,
        attacking(served.target, RATE) as answers,
    ):
        for turn in range(TURNS):
            for move in MOVES:
                begin = time.time()
                move(served, turn)
                spans.append((move.__name__, begin, time.time()))
                print(f"{move.__name__} {turn}: {time.time() - begin:.0f} s", flush=True)
    table: dict[str, Turns] = {}
    for name, begin, end in spans:
        table.setdefault(name, Turns()).add(begin, end, answers)
    print("\n| move | turns | each took | requests | lost |\n|---|---|---|---|---|")
    print(*(turns.line(name) for name, turns in table.items()), sep="\n")
    print(
        f"99 % of the answers in {answers.quantile(0.99):.1f} s, all in {max(answers.times):.1f} s"
    )
    print(
        f"Ready without a ready pod: {witness.longest_lapse:.1f} s at most ({witness.looks} looks)"
    )
    told = (answers.lost, dict(answers.refusals), dict(witness.sources))
    assert answers.losses == [], (told, served.space.report())
    assert witness.longest_lapse < LONGEST_LAPSE, witness.lapses
