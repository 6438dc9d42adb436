"""How quick something is, told in a way that holds on a busy machine too."""

from collections.abc import Awaitable, Callable

MOST_TURNS = 50
"""How often something may be slow before it is the product that is."""


async def quick(turn: Callable[[], Awaitable[float]], seconds: float) -> None:
    """Assert that something takes less than so many seconds where nothing holds it up.

    ``turn`` does it once and returns how long that took. What else runs on a machine makes one turn
    slow, or some; what is slow by itself is so in each.
    """
    took: list[float] = []
    while not took or min(took) >= seconds:
        assert len(took) < MOST_TURNS, f"never in less than {seconds} s: {sorted(took)[:5]}"
        took.append(await turn())
