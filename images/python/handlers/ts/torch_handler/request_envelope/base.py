"""What envelopes inherit: another form of requests and answers around a handler's own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any


class BaseEnvelope(ABC):
    """Takes inputs out of their envelope, has the handler answer, and puts the answers into one."""

    def __init__(self, handle_fn: Callable[[Any, Any], Any]) -> None:
        self._handle_fn = handle_fn
        self.context: Any = None

    def handle(self, data: Any, context: Any) -> Any:
        """Answer a batch of enveloped requests."""
        self.context = context
        results = self._handle_fn(self.parse_input(data) if data else data, context)
        return self.format_output(results) if results else results

    @abstractmethod
    def parse_input(self, data: Any) -> Any:
        """Return what the handler is asked."""

    @abstractmethod
    def format_output(self, data: Any) -> Any:
        """Return what is answered."""


def inputs(row: Any) -> Any:
    """Return a request's input: its field ``data``, or its body."""
    return row.get("data") or row.get("body")
