"""Measuring two doors of one pod by turns, so that a busy machine is as busy for both."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import quantiles

from tests.cluster.attack import Answers, Target, attack
from tests.contract.operator.process import cpu_seconds

CONNECTIONS = 8
"""Requests that are open at a time while throughput is measured, each on its own connection."""
WARM_UP_TURNS = 2
"""How often each door is asked before anything counts: Java compiles what it runs often."""

_PATIENCE = 6
"""How many pairs are tried for each round, of which two must be whole."""


@dataclass(frozen=True)
class Answered:
    """The answers of something that was asked for some seconds."""

    answers: Answers

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.answers.throughput

    @property
    def p50(self) -> float:
        """Milliseconds in which half of the answers came."""
        return 1e3 * self.answers.quantile(0.5)

    @property
    def p99(self) -> float:
        """Milliseconds in which 99 of 100 answers came."""
        return 1e3 * self.answers.quantile(0.99)


@dataclass(frozen=True)
class Turn(Answered):
    """One door asked for some seconds: the answers, and the processor time that Envoy took."""

    envoy_cpu: float

    @property
    def envoy_microseconds(self) -> float:
        """Envoy's processor time for one request."""
        return 1e6 * self.envoy_cpu / max(1, self.answers.total)


Pair = tuple[Turn, Turn]
"""Neighbouring turns: the bare one, and the one through Envoy."""
Measure = Callable[[Target], Turn]
Figure = Callable[[Turn], float]


@dataclass(frozen=True)
class Spread:
    """A figure over all turns: the median, and the quartiles, between which the middle half is."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of two values or more."""
        low, middle, high = quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high)

    def text(self, form: str) -> str:
        """Return it for people; ``form`` is how a number is written, such as ``.2f``."""
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


@dataclass(frozen=True)
class Price:
    """What was measured, pair by pair: flat out, and at ``half_load`` requests a second."""

    fast: list[Pair]
    half_load: float
    calm: list[Pair]

    @property
    def throughput_ratio(self) -> Spread:
        """Throughput through Envoy by that past it, over all pairs."""
        return Spread.of(other.throughput / one.throughput for one, other in self.fast)

    @property
    def p99_difference(self) -> Spread:
        """By how many milliseconds the p99 through Envoy is later, over all pairs."""
        return _later(self.calm, lambda turn: turn.p99)

    @property
    def sender_share(self) -> float:
        """The load generator's processor time by the clock's, flat out: 1 is a whole core."""
        turns = [turn.answers for pair in self.fast for turn in pair]
        return sum(one.sender_cpu for one in turns) / sum(one.seconds for one in turns)

    def table(self) -> str:
        """Return what was measured as a table for people."""
        load = f"at {self.half_load:.0f}/s (ms)"
        p50 = _later(self.calm, lambda turn: turn.p50)
        rows = (
            ("", "bare", "through Envoy", "price"),
            (
                "throughput (1/s)",
                *_both(self.fast, lambda turn: turn.throughput, ".0f"),
                f"times {self.throughput_ratio.text('.3f')}",
            ),
            (f"p50 {load}", *_both(self.calm, lambda turn: turn.p50, ".2f"), p50.text("+.2f")),
            (
                f"p99 {load}",
                *_both(self.calm, lambda turn: turn.p99, ".2f"),
                self.p99_difference.text("+.2f"),
            ),
        )
        lines = (f"{a:<20}{b:>23}{c:>23}   {d}".rstrip() for a, b, c, d in rows)
        return "\n".join((*lines, self._costs()))

    def _costs(self) -> str:
        cost = Spread.of(other.envoy_microseconds for _, other in self.fast)
        return (
            "Medians, and in brackets the quartiles of all turns. Flat out, a request took "
            f"{cost.text('.0f')} microseconds of Envoy's processor time, and the load generator "
            f"{self.sender_share:.2f} of a core."
        )


def _both(pairs: list[Pair], figure: Figure, form: str) -> tuple[str, str]:
    """Return a figure of both doors for people."""
    bare, proxied = (Spread.of(figure(pair[door]) for pair in pairs) for door in (0, 1))
    return bare.text(form), proxied.text(form)


def _later(pairs: list[Pair], figure: Figure) -> Spread:
    return Spread.of(figure(other) - figure(one) for one, other in pairs)


def measure_price(bare: Target, proxied: Target, envoy: int, rounds: int, seconds: float) -> Price:
    """Return Envoy's price; each of ``rounds`` asks each door twice at either load.

    ``envoy`` is Envoy's process.
    """

    def turn(target: Target, rate: float, *options: str) -> Turn:
        begun = cpu_seconds(envoy)
        answers = attack(target, rate, seconds, f"-workers={CONNECTIONS}", *options)
        return Turn(answers, cpu_seconds(envoy) - begun)

    def flat_out(target: Target) -> Turn:
        return turn(target, 0, f"-max-workers={CONNECTIONS}")

    for _ in range(WARM_UP_TURNS):
        flat_out(proxied), flat_out(bare)
    fast = _by_turns(bare, proxied, rounds, flat_out)
    half = Spread.of(one.throughput for one, _ in fast).median / 2
    calm = _by_turns(bare, proxied, rounds, lambda target: turn(target, half))
    return Price(fast, half, calm)


def _by_turns(bare: Target, proxied: Target, rounds: int, measure: Measure) -> list[Pair]:
    """Return pairs of neighbouring measurements; who goes first changes from pair to pair.

    A pair in which a request was refused is measured again: the machine was too busy for a while.
    """
    pairs: list[Pair] = []
    for index in range(_PATIENCE * rounds):
        if index % 2 == 0:
            first = measure(bare)
            pair = (first, measure(proxied))
        else:
            first = measure(proxied)
            pair = (measure(bare), first)
        if not pair[0].answers.lost and not pair[1].answers.lost:
            pairs.append(pair)
        if len(pairs) == 2 * rounds:
            return pairs
    raise RuntimeError("Requests are refused again and again: measure on a quieter machine.")
