"""``python -m programs.lit PORT``: the network under LitServe with one worker."""

import sys
from typing import Any

import litserve

from .network import Network


class Api(litserve.LitAPI):  # type: ignore[misc]
    """Answers one request."""

    def setup(self, device: Any) -> None:
        """Make the network."""
        self._network = Network()

    def predict(self, x: Any) -> Any:
        """Return the answer."""
        return self._network.answers([x])[0]


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
