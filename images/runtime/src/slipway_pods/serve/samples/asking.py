"""Asking a model that is loaded for the answers to rows, several at a time."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from slipway_pods.serve import page
from slipway_pods.serve.samples.difference import difference, value_of
from slipway_pods.serve.samples.rows import Sample
from slipway_pods.serve.samples.stored import Row

T = TypeVar("T")

AT_ONCE = 8
"""Rows that are asked at the same time, so that batches form as users' requests make them."""
_WAYS_OUT: Mapping[int, str] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: " Raise spec.server.maxRequestBytes."
}
"""What a deployment's author may do about a status."""
_SHOWN = 200
"""How many characters of an error are told."""


class AnswerError(Exception):
    """A row has no answer, or another one than it should have; the text is one sentence."""


class UnansweredError(AnswerError):
    """A row has no answer yet: the server is slow, or takes no connection. It may have one later.

    ``number`` is the row's. ``late``: there is no time left to ask again.
    """

    def __init__(self, message: str, number: int, *, late: bool) -> None:
        super().__init__(message)
        self.number = number
        self.late = late


@dataclass(frozen=True)
class Asked:
    """Where a model is asked, how long one answer may take, and until when all may.

    ``seconds`` is a duration; ``deadline`` is by the monotonic clock.
    """

    url: str
    seconds: float
    deadline: float

    def answer(self, number: int, sample: Sample) -> Any:
        """Return the answer to a row, a JSON value or bytes; raises AnswerError.

        That is UnansweredError where no answer came.
        """
        left = min(self.seconds, self.deadline - time.monotonic())
        if left <= 0:
            text = f"Row {number} and those behind it could not be asked in time."
            raise UnansweredError(text, number, late=True)
        try:
            told = page.ask(self.url, left, sample.body, sample.content_type)
        except OSError as error:
            text, late = (
                f"Row {number} is not answered: {error}.",
                self.deadline <= time.monotonic(),
            )
            raise UnansweredError(text, number, late=late) from error
        if not 200 <= told.status <= 299:
            text = ascii(told.body[:_SHOWN].decode("utf-8", "replace").strip())
            way_out = _WAYS_OUT.get(told.status, "")
            raise AnswerError(f"Row {number} is answered with {told.status}: {text}.{way_out}")
        if not told.whole:
            raise AnswerError(
                f"The answer to row {number} is longer than {page.MOST_BYTES} bytes, and cannot be "
                "compared."
            )
        return value_of(told.body)

    def check(self, number: int, row: Row, tolerance: float) -> None:
        """Raise AnswerError where a row's answer is not the one that it had."""
        words = difference(self.answer(number, row.sample), row.answer, tolerance)
        if words:
            raise AnswerError(
                f"Row {number} is not answered as when the archive was made: {words} "
                f"(tolerance {tolerance:g})."
            )


def compare(asked: Asked, rows: Iterable[tuple[int, Row]], tolerance: float) -> None:
    """Ask rows with their numbers, and raise AnswerError for one with another answer than it had.

    All rows before the one that an UnansweredError names have the answer that they had. Raises
    what reading the rows raises.
    """
    each(rows, lambda pair: asked.check(*pair, tolerance))


def each(items: Iterable[T], act: Callable[[T], None], at_once: int = AT_ONCE) -> None:
    """Do something with each item in threads.

    Raises the error of the first item that has one, and begins with no other item then. What has
    no answer yet says less than any other error, and is raised where there is no other.
    """
    errors: dict[int, BaseException] = {}
    turn, remaining = threading.Lock(), enumerate(items)

    def work() -> None:
        at = -1
        try:
            while not errors:
                with turn:
                    taken = next(remaining, None)
                if taken is None:
                    return
                at, item = taken
                act(item)
        except BaseException as error:
            errors[at] = error

    threads = [threading.Thread(target=work, daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors, key=lambda at: (isinstance(errors[at], UnansweredError), at))]
