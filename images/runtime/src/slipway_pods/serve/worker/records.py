"""One record of a worker's log stays one: TorchServe's Java makes a record of each line.

So a record's line ends leave the worker as `LINE_END`, which the server image's log4j2.xml turns
back: a traceback is one JSON object on the console, and lines again in model.log. Runs in each
worker of TorchServe 0.12, which has one handler on its root logger (ts/model_service_worker.py).
"""

import logging

LINE_END = "\x1e"
"""ASCII's record separator, which Java's reader does not take for the end of a line."""


class OneLine(logging.Formatter):
    """Formats as another formatter does, without line ends."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text in one line."""
        return LINE_END.join(self._inner.format(record).splitlines())


def install() -> None:
    """Have each handler of the root logger write a record in one line."""
    for handler in logging.getLogger().handlers:
        inner = handler.formatter or logging.Formatter()
        if not isinstance(inner, OneLine):
            handler.setFormatter(OneLine(inner))
