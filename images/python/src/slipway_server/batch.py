"""The requests that a worker answers at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_server import frames
from slipway_server.answers import Field

_MOST_NAMED = 4
"""How many requests of a batch one line of the log names."""


@dataclass
class Batch:
    """Requests that are answered at once, and the inputs of each."""

    command: str
    requests: list[Mapping[str, Any]]
    fields: list[list[Field]]

    @classmethod
    def of(cls, frame: frames.Frame) -> "Batch":
        """Return what a frame of the front's holds."""
        parts = iter(frame.parts)
        fields = [
            [
                Field(name, kind, bytearray(next(parts)), dict(headers))
                for name, kind, headers in request["fields"]
            ]
            for request in frame.head["requests"]
        ]
        return cls(str(frame.head.get("command", "predict")), frame.head["requests"], fields)

    @property
    def ids(self) -> list[str]:
        """The requests' IDs, in order."""
        return [str(request["id"]) for request in self.requests]

    @property
    def told(self) -> str:
        """Which requests these are, for a line of the log, by the IDs that clients see."""
        names = [str(request["name"]) for request in self.requests]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"request{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_NAMED])}{more}"

    def alone(self) -> list["Batch"]:
        """Return a batch for each request."""
        return [
            Batch(self.command, [request], [fields])
            for request, fields in zip(self.requests, self.fields, strict=True)
        ]

    def drop(self, request_id: str) -> None:
        """Leave a request out, if it is one of these."""
        if request_id in (ids := self.ids):
            index = ids.index(request_id)
            del self.requests[index], self.fields[index]
