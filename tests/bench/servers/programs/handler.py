"""The handler of the archive that TorchServe and the Python server serve."""

from typing import Any

from .network import Network


class Handler:
    """Answers a batch at once."""

    def initialize(self, context: Any) -> None:
        """Make the network."""
        self._network = Network()

    def handle(self, data: Any, context: Any) -> Any:
        """Return an answer for each request."""
        return self._network.answers([row["body"] for row in data])
