"""Measuring two doors of one pod by turns, so that a busy machine is as busy for both."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tests.cluster.attack import Answers, Target, attack

WORKERS = 8
"""Requests that are open at a time while throughput is measured."""

_PATIENCE = 6
"""How many pairs are tried for each round, of which two must be whole."""

Measure = Callable[[Target], Answers]


@dataclass(frozen=True)
class Price:
    """What was measured, in good answers a second and in milliseconds.

    The ratio and the difference are the medians over all pairs of neighbouring measurements.
    """

    bare_throughput: float
    proxied_throughput: float
    throughput_ratio: float
    half_load: float
    bare_p99: float
    proxied_p99: float
    p99_difference: float
    bare_p50: float
    proxied_p50: float

    def table(self) -> str:
        """Return what was measured as a table for people."""
        rows = (
            ("", "bare", "through Envoy", ""),
            (
                "throughput (1/s)",
                f"{self.bare_throughput:.0f}",
                f"{self.proxied_throughput:.0f}",
                f"ratio {self.throughput_ratio:.3f}",
            ),
            (
                f"p50 at {self.half_load:.0f}/s (ms)",
                f"{self.bare_p50:.2f}",
                f"{self.proxied_p50:.2f}",
                "",
            ),
            (
                f"p99 at {self.half_load:.0f}/s (ms)",
                f"{self.bare_p99:.2f}",
                f"{self.proxied_p99:.2f}",
                f"difference {self.p99_difference:+.2f}",
            ),
        )
        return "\n".join(f"{a:<24}{b:>10}{c:>16}   {d}".rstrip() for a, b, c, d in rows)


def measure_price(bare: Target, proxied: Target, rounds: int, seconds: float) -> Price:
    """Return Envoy's price; each of ``rounds`` asks each door twice at either load."""

    def flat_out(target: Target) -> Answers:
        options = (f"-max-workers={WORKERS}", f"-workers={WORKERS}")
        return attack(target, 0, seconds, *options)

    flat_out(proxied), flat_out(bare)
    fast = _by_turns(bare, proxied, rounds, flat_out)
    half = median(one.throughput for one, _ in fast) / 2
    calm = _by_turns(bare, proxied, rounds, lambda it: attack(it, half, seconds))
    return Price(
        bare_throughput=median(one.throughput for one, _ in fast),
        proxied_throughput=median(other.throughput for _, other in fast),
        throughput_ratio=median(other.throughput / one.throughput for one, other in fast),
        half_load=half,
        bare_p99=median(1e3 * one.quantile(0.99) for one, _ in calm),
        proxied_p99=median(1e3 * other.quantile(0.99) for _, other in calm),
        p99_difference=median(
            1e3 * (other.quantile(0.99) - one.quantile(0.99)) for one, other in calm
        ),
        bare_p50=median(1e3 * one.quantile(0.5) for one, _ in calm),
        proxied_p50=median(1e3 * other.quantile(0.5) for _, other in calm),
    )


def _by_turns(
    bare: Target, proxied: Target, rounds: int, measure: Measure
) -> list[tuple[Answers, Answers]]:
    """Return pairs of neighbouring measurements; who goes first changes from pair to pair.

    A pair in which a request was refused is measured again: the machine was too busy for a while.
    """
    pairs: list[tuple[Answers, Answers]] = []
    for index in range(_PATIENCE * rounds):
        if index % 2 == 0:
            first = measure(bare)
            pair = (first, measure(proxied))
        else:
            first = measure(proxied)
            pair = (measure(bare), first)
        if not pair[0].lost and not pair[1].lost:
            pairs.append(pair)
        if len(pairs) == 2 * rounds:
            return pairs
    raise RuntimeError("Requests are refused again and again: measure on a quieter machine.")
