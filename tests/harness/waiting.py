"""Waiting for a condition with a deadline, and a report of what was found when it passes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitError(AssertionError):
    """A condition did not come to hold in time; the text shows what was seen instead."""


def wait_for(
    probe: Callable[[], T | None],
    timeout: float,
    describe: str,
    report: Callable[[], str] = lambda: "",
    interval: float = 0.25,
) -> T:
    """Return the first true value of ``probe``; raise WaitError after ``timeout`` seconds.

    ``describe`` completes the sentence "Waited in vain until ..."; ``report`` is called on
    failure only and tells the state of things.
    """
    deadline = time.monotonic() + timeout
    while True:
        # Looked at before the probe: this process may have stood still since the last one.
        late = time.monotonic() > deadline
        if value := probe():
            return value
        if late:
            text = f"Waited in vain for {timeout:.0f} s until {describe}."
            raise WaitError(f"{text}\n{report()}")
        time.sleep(interval)
