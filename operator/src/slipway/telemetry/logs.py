"""JSON logs on stderr, each line with the object that it is about."""

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO, TypeAlias

from cachetools import LRUCache, TTLCache

from slipway.telemetry.trace import trace_id
from slipway.uris import scrubbed

_Failure: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
_LONGEST_MESSAGE, _LONGEST_TRACE = 4096, 16384
"""Longest texts of a line, in characters: the API server repeats whole objects in its answers."""
_MOST_TRACES, _TRACE_SECONDS = 256, 600.0
"""How many places that fail are remembered, and how long."""
_REPEAT_SECONDS = 60.0
"""A warning that says the same of the same object is logged again after so long."""
_BURST, _A_SECOND = 200.0, 1.0
"""Warnings of one place in the code: so many at once, and then so many a second."""
_RESERVE, _RESERVE_A_SECOND = 10.0, 1 / 60
"""The same for each namespace once a place has used up its own."""
_MOST_PLACES, _MOST_SAID = 512, 4096
"""How many places, and how many warnings, are remembered."""
_MOST_RESERVES = 256
"""How many namespaces of one place may have used some of their reserve; others have none."""
_OBJECT: ContextVar[dict[str, str] | None] = ContextVar("slipway_object", default=None)


@contextmanager
def about(kind: str, namespace: str, name: str) -> Iterator[None]:
    """Add an object's identity to all lines logged within, in this task."""
    token = _OBJECT.set({"kind": kind, "namespace": namespace, "name": name})
    try:
        yield
    finally:
        _OBJECT.reset(token)


class _Budget:
    """How many lines may be logged now: ``burst`` at once, and then so many a second."""

    def __init__(self, burst: float, a_second: float, now: float) -> None:
        self._burst, self._a_second = burst, a_second
        self._left, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self._left, self._at = self._at_time(now), now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_whole(self, now: float) -> bool:
        """Tell whether nothing is missing, so that it can be forgotten."""
        return self._at_time(now) >= self._burst

    def _at_time(self, now: float) -> float:
        return min(self._burst, self._left + (now - self._at) * self._a_second)


class _Place:
    """A place in the code: how many warnings it may log, and how many it did not.

    All namespaces share its budget. Once that is used up, each has a small reserve, so that none
    can keep the others' first errors out of the log.
    """

    def __init__(self, now: float) -> None:
        self.left_out = 0
        self._shared = _Budget(_BURST, _A_SECOND, now)
        self._reserves: dict[str, _Budget] = {}

    def take(self, namespace: str, now: float) -> bool:
        """Tell whether a line about an object of a namespace (empty for none) may be logged."""
        return self._shared.take(now) or self._of(namespace, now).take(now)

    def _of(self, namespace: str, now: float) -> _Budget:
        """Return a namespace's reserve; an empty one where too many others use theirs.

        Those that were used last are last, and whole again ten minutes later.
        """
        known = self._reserves.pop(namespace, None)
        while self._reserves and next(iter(self._reserves.values())).is_whole(now):
            self._reserves.pop(next(iter(self._reserves)))
        if known is None and len(self._reserves) >= _MOST_RESERVES:
            return _Budget(0, 0, now)
        return self._reserves.setdefault(
            namespace, known or _Budget(_RESERVE, _RESERVE_A_SECOND, now)
        )


class Repeats(logging.Filter):
    """Leaves out warnings and errors that repeat themselves, and those of a place with too many.

    A fault that lasts says the same each second, and one that all objects have says it of each:
    10,000 of them would be a gigabyte a day, and push all else out of what the kubelet keeps. One
    namespace's many warnings leave out no other's first ones. The next line of a place tells how
    many were left out before it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: LRUCache[object, float] = LRUCache(_MOST_SAID)
        self._places: LRUCache[object, _Place] = LRUCache(_MOST_PLACES)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is logged."""
        if record.levelno < logging.WARNING:
            return True
        now, where = self._clock(), (record.pathname, record.lineno)
        place = self._places.get(where) or _Place(now)
        self._places[where] = place
        key = (where, _said(record))
        repeated = now - self._said.get(key, -math.inf) < _REPEAT_SECONDS
        if repeated or not place.take((_OBJECT.get() or {}).get("namespace", ""), now):
            place.left_out += 1
            return False
        self._said[key] = now
        record.left_out, place.left_out = place.left_out, 0
        return True


def _said(record: logging.LogRecord) -> int:
    """Return what stands for a line's text, its failure and the object that it is about."""
    told: tuple[str, ...]
    try:
        told = (record.getMessage(), repr(record.exc_info[1]) if record.exc_info else "")
    except Exception:  # whatever an argument raises: logging itself guards formatters, not filters
        told = ("",)
    return hash((*told, *(_OBJECT.get() or {}).values()))


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, object and trace.

    URIs lose what opens them. Long texts are cut, and a failure that was logged with its traceback
    in the last ten minutes has it no more: 10,000 objects that fail at one place would be gigabytes
    a day.
    """

    def __init__(self) -> None:
        super().__init__()
        self._traced: TTLCache[object, None] = TTLCache(_MOST_TRACES, _TRACE_SECONDS)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line break at its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, str | int] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(scrubbed(record.getMessage()), _LONGEST_MESSAGE),
            **(_OBJECT.get() or {}),
        }
        if trace := trace_id():
            line["traceId"] = trace
        if left_out := getattr(record, "left_out", 0):
            line["leftOut"] = left_out
        if record.exc_info:
            line["exception"] = _cut(scrubbed(self._told(record.exc_info)), _LONGEST_TRACE)
        return json.dumps(line, ensure_ascii=False)

    def _told(self, failure: _Failure) -> str:
        """Return a failure with its traceback, or without where that was logged lately."""
        type_, error, place = failure
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        key = (type_, place and (place.tb_frame.f_code.co_filename, place.tb_lineno))
        if key in self._traced:
            return f"{error!r}, whose traceback was logged before"
        self._traced[key] = None
        return self.formatException(failure)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def set_up_logs(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs from ``level`` on to ``stream``; libraries only from WARNING on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Repeats())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("slipway").setLevel(level)
    logging.captureWarnings(True)
