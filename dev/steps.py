"""What is being done, for whoever waits: a line for each step, and on a terminal one that lives."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from dev.durations import Run

_HASH = re.compile(r":[0-9a-f]{12}\b")
_PERIOD_SECONDS = 1.0


class Board:
    """Writes steps to a stream; several may go on at once, in threads of their own.

    A stream that is a terminal has a last line that is renewed each second: how many steps there
    are, what goes on, and how long is left by the figures of an earlier run.
    """

    def __init__(
        self, stream: Callable[[], TextIO], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.RLock()
        self._run: Run | None = None
        self._active: dict[str, float] = {}
        self._last = ""
        self._lives = False

    def begin(self, run: Run) -> None:
        """Compare the steps from now on with those of an earlier run."""
        self._run = run
        if self._stream().isatty():
            threading.Thread(target=self._renew, daemon=True).start()

    def say(self, text: str) -> None:
        """Write lines of text."""
        with self._lock:
            self._clear()
            self._last = text
            print(text, file=self._stream(), flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a step and, when it ends, how many seconds it took."""
        name, start = _HASH.sub("", what), self._clock()
        announced = f"--> {what}"
        self._active[name] = start
        self.say(announced)
        try:
            yield
        except BaseException:
            self.say(f"    failed after {self._clock() - start:.1f} s: {what}")
            raise
        finally:
            del self._active[name]
        seconds = self._clock() - start
        if self._run:
            self._run.note(name, start, seconds)
        self.say(f"    {seconds:.1f} s" + ("" if self._last == announced else f": {what}"))

    def line(self) -> str:
        """Return the line that lives; empty where nothing goes on."""
        if self._run is None or not self._active:
            return ""
        now = self._clock()
        what = ", ".join(f"{name} ({now - start:.0f} s)" for name, start in self._active.items())
        number, count = self._run.position(self._active)
        left = self._run.seconds_left(self._active, now)
        rest = "" if left is None else f"; about {_words(left)} left"
        return f"step {number} of {count}: {what}{rest}"

    def _renew(self) -> None:
        while True:
            time.sleep(_PERIOD_SECONDS)
            with self._lock:
                self._clear()
                if text := self.line():
                    self._stream().write(text[:120])
                    self._stream().flush()
                    self._lives = True

    def _clear(self) -> None:
        if self._lives:
            self._stream().write("\r\x1b[K")
            self._lives = False


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


BOARD = Board(lambda: sys.stderr)
"""Standard error, so that standard output stays data."""
say = BOARD.say
step = BOARD.step


@contextmanager
def aside(work: Callable[[], object]) -> Iterator[None]:
    """Do some work in a thread beside the block, and wait for its end; raises what it raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]
