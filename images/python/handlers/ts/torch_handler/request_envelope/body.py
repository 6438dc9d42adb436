"""Inputs without the names of their fields."""

from typing import Any

from ts.torch_handler.request_envelope.base import BaseEnvelope, inputs


class BodyEnvelope(BaseEnvelope):
    """Gives the handler a list of bodies, in place of rows."""

    def parse_input(self, data: Any) -> Any:
        """Return each request's body."""
        return [inputs(row) for row in data]

    def format_output(self, data: Any) -> Any:
        """Return the answers as they are."""
        return data
