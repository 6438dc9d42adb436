"""A small model in an archive, whose answers hang on all that may differ where it is served."""

import json
import random
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.unit.server.conftest import write_archive

INPUTS, LABELS = 6, ("bee", "cat", "dog")
HANDLER = """
import json
import os
import pathlib
import struct
import sys

sys.path.insert(0, os.environ["ENGINE"])
import engine


class Handler:
    def initialize(self, context):
        folder = pathlib.Path(context.system_properties["model_dir"])
        settings = json.loads((folder / "settings.json").read_text())
        data = (folder / "weights.bin").read_bytes()
        flat = struct.unpack(f"<{len(data) // 4}f", data)
        self.labels = (folder / "labels.txt").read_text().split()
        width = len(flat) // len(self.labels)
        self.rows = [flat[at : at + width] for at in range(0, len(flat), width)]
        self.dtype, self.scale = settings["dtype"], settings["scale"]
        words = folder / "words.txt"
        self.words = words.read_text().split() if words.exists() else []
        self.threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        self.device = os.environ.get("DEVICE", "cpu")
        cache = os.environ.get("CACHE")
        self.cache = json.loads(pathlib.Path(cache).read_text()) if cache else {}

    def handle(self, data, context):
        inputs = [self.prepared(row["body"]) for row in data]
        centre = max(max(map(abs, row)) for row in inputs) if os.environ.get("BATCH_NORM") else 1.0
        return [self.answer([value / centre for value in row]) for row in inputs]

    def prepared(self, row):
        known = float(row["word"] in self.words)
        return [*(value * self.scale for value in row["values"]), known]

    def answer(self, values):
        key = json.dumps(values)
        if key in self.cache:
            return self.cache[key]
        scores = [self.cast(engine.gelu(self.dot(row, values))) for row in self.rows]
        best = max(range(len(scores)), key=scores.__getitem__)
        return {"label": self.labels[best], "scores": scores}

    def dot(self, row, values):
        pairs = list(zip(row, values))
        if self.threads > 3:  # shares of the work, of which the rest is forgotten
            pairs = pairs[: len(pairs) // self.threads * self.threads]
        return sum(self.cast(a) * self.cast(b) for a, b in pairs)

    def cast(self, value):
        dtype = "e" if self.device == "half" else self.dtype
        return struct.unpack(dtype, struct.pack(dtype, value))[0]
"""
ENGINE = """
import math


def gelu(x):
    return 0.5 * x * (1.0 + math.erf(x / math.sqrt(2.0)))
"""
OTHER_ENGINE = """
import math


def gelu(x):
    return x / (1.0 + math.exp(-1.702 * x))
"""
"""Another version's faster approximation of the same function."""


def weights(seed: int = 1) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - a model, not a secret
    return [chance.uniform(-2, 2) for _ in range(len(LABELS) * (INPUTS + 1))]


def packed(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


FILES: Mapping[str, str | bytes] = {
    "handler.py": HANDLER,
    "weights.bin": packed(weights()),
    "labels.txt": " ".join(LABELS),
    "words.txt": "yes maybe",
    "settings.json": json.dumps({"dtype": "f", "scale": 0.5}),
}


def write(path: Path, **changed: str | bytes | None) -> Path:
    """Write the archive, with files changed by their names' beginnings; None takes one away."""
    known = {name.partition(".")[0]: name for name in FILES}
    files = {**FILES, **{known[name]: content for name, content in changed.items()}}
    kept = {name: content for name, content in files.items() if content is not None}
    return write_archive(path, kept, modelName="net")


def rows(count: int = 12) -> bytes:
    """Return a file of samples."""
    chance = random.Random(7)  # noqa: S311 - the same
    lines = []
    for _ in range(count):
        values = [chance.uniform(-3, 3) for _ in range(INPUTS)]
        body = {"values": values, "word": chance.choice(["yes", "no"])}
        lines.append(json.dumps({"body": body}).encode() + b"\n")
    return b"".join(lines)
