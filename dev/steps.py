"""One line for each step: what is being done and how long it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Write a line for the user to standard error, so that standard output stays data."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step and, when it ends, how many seconds it took."""
    say(f"--> {what}")
    start = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"    failed after {time.monotonic() - start:.1f} s: {what}")
        raise
    say(f"    {time.monotonic() - start:.1f} s")
