"""JSON logs on stderr, each line with the object that it is about."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from slipway.telemetry.trace import trace_id
from slipway.uris import scrubbed

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

    URIs lose what opens them.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line break at its end."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
            **(_OBJECT.get() or {}),
        }
        if trace := trace_id():
            line["traceId"] = trace
        if record.exc_info:
            line["exception"] = scrubbed(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def set_up_logs(level: str, stream: TextIO = sys.stderr) -> None:
    """Send all logs from ``level`` on to ``stream``; libraries only from WARNING on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("slipway").setLevel(level)
    logging.captureWarnings(True)
