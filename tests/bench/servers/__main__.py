"""``python -m tests.bench.servers``: one model behind TorchServe, the Python server and others.

All servers of a setup run at the same time and are asked by turns, so that a busy machine is as
busy for all of them. Ends with 1 where the Python server misses an aim of `AIMS`.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.bench.price import Spread
from tests.bench.servers.contestants import Arena, Contestant, Setup, arena
from tests.bench.servers.figures import BASE, Figure, Measured, later, measure, ratio, turn
from tests.bench.servers.processes import one_group, proportional_bytes

SMALL, USUAL = "20", ",".join(["2048"] * 7)
SETUPS = {
    "small": Setup(SMALL),
    "usual": Setup(USUAL),
    "small, batch 8": Setup(SMALL, batch=8),
    "usual, batch 8": Setup(USUAL, batch=8),
    "small, 4 workers": Setup(SMALL, workers=4),
    "usual, 4 workers": Setup(USUAL, workers=4),
}
"""A network of 10 to 20 to 1, and one of 25 million parameters."""
OURS, MINE = (BASE, "Python"), "Python"
ALL = (*OURS, "KServe", "LitServe")
"""Who is compared with one worker and no batches: the others batch by other rules."""
FIGURES: dict[str, tuple[str, Figure]] = {
    "throughput (1/s)": ("fast", lambda turn: turn.throughput),
    "p50 flat out (ms)": ("fast", lambda turn: turn.p50),
    "CPU s of 1,000, flat out": ("fast", lambda turn: turn.cost),
    "p50 at half load (ms)": ("calm", lambda turn: turn.p50),
    "p99 at half load (ms)": ("calm", lambda turn: turn.p99),
    "CPU s of 1,000, half load": ("calm", lambda turn: turn.cost),
}
MIB = 1 << 20
LESS_MIB, MOST_WORKER_MIB = 150, 110


@dataclass(frozen=True)
class Aim:
    """What the Python server is to reach in the setups whose names begin alike."""

    text: str
    setups: str
    holds: Callable[[Mapping[str, Measured]], bool]


def _at_least(most: float, figure: str) -> Callable[[Mapping[str, Measured]], bool]:
    return lambda measured: _ratio(measured, MINE, figure).median >= most


def _at_most(most: float, figure: str) -> Callable[[Mapping[str, Measured]], bool]:
    return lambda measured: _ratio(measured, MINE, figure).median <= most


def _is_not_later(measured: Mapping[str, Measured]) -> bool:
    turns = measured[MINE].calm, measured[BASE].calm
    return later(*turns, lambda turn: turn.p99).median <= 0.5


def _is_ahead(measured: Mapping[str, Measured]) -> bool:
    mine = _ratio(measured, MINE, "throughput (1/s)").median
    others = set(measured) - set(OURS)
    return all(mine > _ratio(measured, name, "throughput (1/s)").median for name in others)


AIMS = (
    Aim("throughput at least 1.3 times", "small", _at_least(1.3, "throughput (1/s)")),
    Aim("throughput at least that of TorchServe", "usual", _at_least(1.0, "throughput (1/s)")),
    Aim("p50 at half load at most 0.9 times", "", _at_most(0.9, "p50 at half load (ms)")),
    Aim("p99 at half load at most 0.5 ms later", "", _is_not_later),
    Aim("CPU at most 0.65 times", "small", _at_most(0.65, "CPU s of 1,000, flat out")),
    Aim("CPU at most 0.95 times", "usual", _at_most(0.95, "CPU s of 1,000, flat out")),
    Aim("ahead of the others", "", _is_ahead),
)


def _ratio(measured: Mapping[str, Measured], name: str, figure: str) -> Spread:
    load, value = FIGURES[figure]
    return ratio(getattr(measured[name], load), getattr(measured[BASE], load), value)


def table(measured: Mapping[str, Measured]) -> str:
    """Return what was measured: medians, and multiples of TorchServe's with their quartiles."""
    names = list(measured)
    lines = [f"{'':<28}" + "".join(f"{name:>34}" for name in names)]
    for figure, (load, value) in FIGURES.items():
        cells = []
        for name in names:
            middle = Spread.of(map(value, getattr(measured[name], load))).median
            times = "" if name == BASE else f" x {_ratio(measured, name, figure).text('.2f')}"
            cells.append(f"{middle:.4g}{times}")
        lines.append(f"{figure:<28}" + "".join(f"{cell:>34}" for cell in cells))
    return "\n".join(lines)


@contextlib.contextmanager
def _all_running(
    place: Arena, names: tuple[str, ...], setup: Setup
) -> Iterator[dict[str, Contestant]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(place.running(name, setup)) for name in names}


@dataclass
class Alone:
    """A server that ran alone, start after start: seconds to the first answer, and bytes (PSS).

    Memory is measured alone, since servers that run beside each other share torch's files.
    """

    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def starts(place: Arena, turns: int, seconds: float) -> dict[str, Alone]:
    """Start both servers by turns, each alone, and ask it for some seconds."""
    alone = {name: Alone() for name in OURS}
    for number in range(turns):
        for name in OURS if number % 2 else OURS[::-1]:
            with place.running(name, SETUPS["small"]) as contestant:
                alone[name].seconds.append(contestant.seconds)
                turn(contestant, 0, seconds)
                alone[name].sizes.append(proportional_bytes(contestant.pids))
    return alone


def worker_bytes(place: Arena) -> float:
    """Return what a further worker of the small network takes of the Python server's memory."""
    sizes = []
    for workers in (1, 4):
        with place.running(MINE, Setup(SMALL, workers=workers)) as contestant:
            sizes.append(proportional_bytes(contestant.pids))
    return (sizes[1] - sizes[0]) / 3


def _judged(name: str, measured: Mapping[str, Measured]) -> bool:
    held = True
    for aim in AIMS:
        if name.startswith(aim.setups):
            holds = aim.holds(measured)
            held = held and holds
            print(f"{name}: {aim.text}: {'held' if holds else 'NOT held'}.")
    return held


def _start_judged(place: Arena, turns: int, seconds: float) -> bool:
    alone = starts(place, turns, seconds)
    mine, base = alone[MINE], alone[BASE]
    times = Spread.of(a / b for a, b in zip(mine.seconds, base.seconds, strict=True))
    less = Spread.of((b - a) / MIB for a, b in zip(mine.sizes, base.sizes, strict=True))
    more = worker_bytes(place) / MIB
    for name, one in alone.items():
        start, size = Spread.of(one.seconds), Spread.of(one.sizes).median / MIB
        print(f"{name}: {start.text('.1f')} s to the first answer, {size:.0f} MiB (PSS).")
    print(f"{MINE}: {times.text('.2f')} of the time, {less.text('.0f')} MiB less.")
    print(f"{MINE}: a further worker of the small network takes {more:.0f} MiB.")
    held = times.median <= 1 and less.median >= LESS_MIB and more <= MOST_WORKER_MIB
    aims = f"no later, {LESS_MIB} MiB less, a worker at most {MOST_WORKER_MIB} MiB"
    print(f"{aims}: {'held' if held else 'NOT held'}.", flush=True)
    return held


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.servers", description=__doc__)
    parser.add_argument("setups", nargs="*", default=list(SETUPS), help="; ".join(SETUPS))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--starts", type=int, default=3)
    chosen = parser.parse_args()
    with one_group(), arena() as place:
        held = [] if chosen.starts < 2 else [_start_judged(place, chosen.starts, chosen.seconds)]
        for name in chosen.setups:
            setup = SETUPS[name]
            names = ALL if setup.workers == setup.batch == 1 else OURS
            with _all_running(place, names, setup) as contestants:
                measured = measure(contestants, chosen.rounds, chosen.seconds)
            print(f"{name.capitalize()}", table(measured), "", sep="\n", flush=True)
            held.append(_judged(name, measured))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
