"""How quick something is, told in a way that holds on a busy machine too."""

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

MOST_TURNS = 50
"""How often something may be slow before it is the product that is."""
TICK_SECONDS = 0.05


async def quick(turn: Callable[[], Awaitable[float]], seconds: float) -> None:
    """Assert that something takes less than so many seconds where nothing holds it up.

    ``turn`` does it once and returns how long that took. What else runs on a machine makes one turn
    slow, or some; what is slow by itself is so in each.
    """
    took: list[float] = []
    while not took or min(took) >= seconds:
        assert len(took) < MOST_TURNS, f"never in less than {seconds} s: {sorted(took)[:5]}"
        took.append(await turn())


@contextmanager
def pauses() -> Iterator[Callable[[], float]]:
    """Yield what tells for how many seconds this process has stood still at most in the block."""
    longest, over = [0.0], threading.Event()

    def tick() -> None:
        last, is_over = time.monotonic(), False
        while not is_over:
            is_over = over.wait(TICK_SECONDS)
            now = time.monotonic()
            longest[0], last = max(longest[0], now - last), now

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        yield lambda: longest[0]
    finally:
        over.set()
        ticking.join()
