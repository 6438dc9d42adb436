"""``python -m tests.chaos.shifted run``: the operator, whose clock SIGUSR1 sets back by an hour.

Only the wall clock is set: monotonic time goes on, as where somebody sets a machine's clock.
"""

import datetime as datetimes
import os
import signal
import sys
import time
from typing import NoReturn

PORT_VARIABLE = "CHAOS_PROGRESS_PORT"
"""Names the port at which simulated pods report: their own may be somebody's on this machine."""
_HOUR = 3600.0
_time = time.time


class _Clock:
    """By how many seconds the wall clock is slow."""

    slow = 0.0


class _Datetime(datetimes.datetime):
    """What modules that are imported later know as datetime."""

    @classmethod
    def now(cls, tz: datetimes.tzinfo | None = None) -> "_Datetime":
        """Return the present moment by the slow clock."""
        return super().now(tz) - datetimes.timedelta(seconds=_Clock.slow)


def _set_back(*_: object) -> None:
    _Clock.slow = _HOUR


def main() -> NoReturn:
    """Run the operator's command line by that clock."""
    datetimes.datetime = _Datetime  # type: ignore[misc]
    time.time = lambda: _time() - _Clock.slow
    signal.signal(signal.SIGUSR1, _set_back)
    from slipway.__main__ import main as operator
    from slipway.controller.readers import training_progress

    training_progress.PORT = int(os.environ[PORT_VARIABLE])
    operator(sys.argv[1:])


if __name__ == "__main__":
    main()
