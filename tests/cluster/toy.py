"""A small model whose behaviour its variables choose, put into the store without any training.

``ANSWER`` is what it says (``blue``), ``ERROR_EVERY`` n has each n-th request fail, ``DELAY`` is
how long an answer takes in seconds. With ``NETWORK`` it computes: it answers with what a network
of 10 inputs, hidden layers of these sizes (``20`` or ``20,20``) and one output makes of the
request's rows. It tells TorchServe a measure of its own,
``Score``, which is the value of ``SCORE`` (1).
"""

import hashlib
import io
import json
import zipfile
from typing import Any

from tests.cluster.attack import Target
from tests.cluster.support import Space, address, model_deployment
from tests.harness import Cluster, Object

HANDLER = """
import os
import time


class Handler:
    def initialize(self, context):
        self.answer = os.environ.get("ANSWER", "blue")
        self.every = int(os.environ.get("ERROR_EVERY", "0"))
        self.delay = float(os.environ.get("DELAY", "0"))
        self.score = float(os.environ.get("SCORE", "1"))
        self.asked = 0
        self.network = self.make_network() if os.environ.get("NETWORK") else None

    def make_network(self):
        import torch

        torch.manual_seed(0)
        sizes = [10, *map(int, os.environ["NETWORK"].split(",")), 1]
        layers = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1]).eval()

    def compute(self, rows):
        import torch

        with torch.inference_mode():
            return self.network(torch.tensor(rows, dtype=torch.float32)).tolist()

    def handle(self, data, context):
        self.asked += 1
        time.sleep(self.delay)
        context.metrics.add_metric("Score", self.score, unit="ms")
        if self.every and self.asked % self.every == 0:
            raise RuntimeError("this one fails")
        if self.network is not None:
            return [self.compute(one.get("body") or one.get("data")) for one in data]
        return [self.answer] * len(data)
"""
MODEL = {
    "modelName": "toy",
    "modelVersion": "1.0",
    "serializedFile": "model.pt",
    "handler": "handler.py",
}
MANIFEST = {
    "createdOn": "01/01/1980 00:00:00",
    "runtime": "python",
    "model": MODEL,
    "archiverVersion": "0.12.0",
}
MANIFEST_FILE, CONFIG = "MAR-INF/MANIFEST.json", "model-config.yaml"
FILES = {
    MANIFEST_FILE: json.dumps(MANIFEST),
    "handler.py": HANDLER,
    "model.pt": "nothing",
}


def archive(queue: int | None = None) -> bytes:
    """Return the .mar, the same bytes each time.

    ``queue`` is how many requests may wait before TorchServe refuses more; 100 by default.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, text in {**FILES, **(_patience(queue) if queue else {})}.items():
            opened.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def _patience(queue: int) -> dict[str, str]:
    model = {**MODEL, "configFile": CONFIG}
    return {
        MANIFEST_FILE: json.dumps({**MANIFEST, "model": model}),
        CONFIG: f"jobQueueSize: {queue}\n",
    }


def put(cluster: Cluster, queue: int | None = None) -> Object:
    """Store the archive; returns the model as a ModelDeployment names it."""
    content = archive(queue)
    digest = hashlib.sha256(content).hexdigest()
    path = f"slipway/shared/tests/{digest[:16]}/toy.mar"
    with cluster.store() as store:
        store.pipe_file(path, content)
    return {"uri": f"s3://{path}", "sha256": digest, "name": "toy"}


def deployment(name: str, model: Object, rollout: Any = None, **variables: str) -> Object:
    """Return a ModelDeployment of the toy with these variables."""
    found = model_deployment(name, model, **({"rollout": rollout} if rollout else {}))
    pairs = [{"name": key, "value": value} for key, value in sorted(variables.items())]
    found["spec"]["server"]["env"] = pairs
    return found


def target(space: Space, name: str) -> Target:
    """Return the request that a deployment of the toy is asked by."""
    return Target(f"{address(space, name)}/predict", [1])


def apply(space: Space, name: str, model: Object, rollout: Any = None, **variables: str) -> None:
    """Apply a ModelDeployment of the toy."""
    space.apply(deployment(name, model, rollout, **variables))
