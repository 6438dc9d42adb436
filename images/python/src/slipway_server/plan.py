"""What workers serve, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_server.frames import Bounds


@dataclass(frozen=True)
class Plan:
    """What workers serve, and how; times are in seconds, sizes in bytes.

    ``told`` is the first frame that a worker gets. ``is_shared`` asks for one copy of the model.
    ``places`` is how many requests a worker has at once where they go on step after step.
    """

    told: Mapping[str, Any]
    workers: int
    batch_size: int
    batch_delay: float
    response_timeout: float
    startup_timeout: float
    most_response_bytes: int
    is_shared: bool = True
    places: int = 1

    @property
    def bounds(self) -> Bounds:
        """What a worker may say at once."""
        return Bounds(total=self.most_response_bytes * max(self.batch_size, self.places))
