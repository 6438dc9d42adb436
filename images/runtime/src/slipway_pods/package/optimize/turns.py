"""How long models take for a request alone: in turns, so that what slows one slows all of them."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TURNS = 9
MOST_CALLS = 16
"""Most rows that a model is asked in a turn."""
TURN_SECONDS = 0.5
"""After so long a turn is over, once it has had a row."""

Model = Callable[..., Any]


def milliseconds(
    models: Mapping[str, Model],
    calls: Sequence[tuple[Any, ...]],
    turns: int = TURNS,
    clock: Callable[[], float] = time.thread_time,
) -> dict[str, float]:
    """Return the median of the turns' medians for each model.

    ``clock`` tells this thread's processor time in seconds, which others on the machine do not
    use up: the models have one thread, and a request that is alone waits for nobody.
    """
    rows = calls[:MOST_CALLS]
    found: dict[str, list[float]] = {name: [] for name in models}
    for name in models:
        _turn(models[name], rows, clock)
    gc.disable()
    try:
        for turn in range(turns):
            for name in list(models)[:: -1 if turn % 2 else 1]:
                found[name].append(statistics.median(_turn(models[name], rows, clock)))
    finally:
        gc.enable()
    return {name: 1000 * statistics.median(times) for name, times in found.items()}


def _turn(model: Model, rows: Sequence[tuple[Any, ...]], clock: Callable[[], float]) -> list[float]:
    times: list[float] = []
    end = clock() + TURN_SECONDS
    for row in rows:
        begin = clock()
        if times and begin >= end:
            break
        model(*row)
        times.append(clock() - begin)
    return times
