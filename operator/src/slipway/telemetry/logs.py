"""JSON logs on stderr, each line with the object that it is about."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO, TypeAlias

from cachetools import TTLCache

from slipway.telemetry.trace import trace_id
from slipway.uris import scrubbed

_Failure: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
_LONGEST_MESSAGE, _LONGEST_TRACE = 4096, 16384
"""Longest texts of a line, in characters: the API server repeats whole objects in its answers."""
_MOST_TRACES, _TRACE_SECONDS = 256, 600.0
"""How many places that fail are remembered, and how long."""
_OBJECT: ContextVar[dict[str, str] | None] = ContextVar("slipway_object", default=None)


@contextmanager
def about(kind: str, namespace: str, name: str) -> Iterator[None]:
    """Add an object's identity to all lines logged within, in this task."""
    token = _OBJECT.set({"kind": kind, "namespace": namespace, "name": name})
    try:
        yield
    finally:
        _OBJECT.reset(token)


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
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(scrubbed(record.getMessage()), _LONGEST_MESSAGE),
            **(_OBJECT.get() or {}),
        }
        if trace := trace_id():
            line["traceId"] = trace
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
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("slipway").setLevel(level)
    logging.captureWarnings(True)
