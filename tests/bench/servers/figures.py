"""Measuring servers by turns, and the figures of each as a multiple of TorchServe's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.price import Answered, Spread
from tests.bench.servers.contestants import Contestant
from tests.bench.servers.processes import processor_seconds
from tests.cluster.attack import attack

CONNECTIONS = 8
"""Requests that are open at a time while throughput is measured, each on its own connection."""
BASE = "TorchServe"
MOST_LOST = 0.01
"""Share of a turn's requests that may be refused before the turn is measured again."""
_PATIENCE = 4
"""How often a turn is measured before it is taken as it is."""


@dataclass(frozen=True)
class Turn(Answered):
    """One server asked for some seconds: the answers, and the processor time that it took."""

    processor: float

    @property
    def cost(self) -> float:
        """Processor seconds of 1,000 requests."""
        return 1000 * self.processor / max(1, self.answers.total)


@dataclass
class Measured:
    """One server's turns, flat out and at half of TorchServe's throughput."""

    fast: list[Turn] = field(default_factory=list)
    calm: list[Turn] = field(default_factory=list)


Figure = Callable[[Turn], float]


def turn(contestant: Contestant, rate: float, seconds: float) -> Turn:
    """Ask a server for some seconds: at a rate, or as fast as it answers (0)."""
    for _ in range(_PATIENCE):
        options = (f"-workers={CONNECTIONS}", *(() if rate else (f"-max-workers={CONNECTIONS}",)))
        begun = processor_seconds(contestant.pids)
        answers = attack(contestant.target, rate, seconds, *options)
        done = Turn(answers, processor_seconds(contestant.pids) - begun)
        if sum(answers.lost.values()) <= MOST_LOST * answers.total:
            break
    return done


def measure(
    contestants: Mapping[str, Contestant], rounds: int, seconds: float
) -> dict[str, Measured]:
    """Measure all by turns, each round in another order, TorchServe among them."""
    measured = {name: Measured() for name in contestants}
    for contestant in contestants.values():  # Java compiles what it runs often
        turn(contestant, 0, seconds)
    for order in _orders(list(contestants), rounds):
        for name in order:
            measured[name].fast.append(turn(contestants[name], 0, seconds))
    half = Spread.of(one.throughput for one in measured[BASE].fast).median / 2
    for order in _orders(list(contestants), rounds):
        for name in order:
            measured[name].calm.append(turn(contestants[name], half, seconds))
    return measured


def _orders(names: list[str], rounds: int) -> list[list[str]]:
    return [names[n % len(names) :] + names[: n % len(names)] for n in range(rounds)]


def ratio(one: Sequence[Turn], base: Sequence[Turn], figure: Figure) -> Spread:
    """Return a figure as a multiple of the other's, over the rounds."""
    return Spread.of(figure(a) / figure(b) for a, b in zip(one, base, strict=True))


def later(one: Sequence[Turn], base: Sequence[Turn], figure: Figure) -> Spread:
    """Return by how much a figure is above the other's, over the rounds."""
    return Spread.of(figure(a) - figure(b) for a, b in zip(one, base, strict=True))
