"""``python -m programs.kserver PORT``: the network under KServe's Python server."""

import sys
from typing import Any

import kserve

from .network import Network


class Model(kserve.Model):  # type: ignore[misc]
    """Answers one request."""

    def load(self) -> bool:
        """Make the network."""
        self._network = Network()
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Return the answer."""
        return {"predictions": self._network.answers([payload["instances"]])[0]}


if __name__ == "__main__":
    model = Model("bench")
    model.load()
    kserve.ModelServer(
        http_port=int(sys.argv[1]), enable_grpc=False, workers=1, access_log_format=None
    ).start([model])
