"""Trainings on this machine's GPU, with checkpoints in a folder as on a mounted claim."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.trainer import Trainer

IMAGE_SCRIPTS = Path(__file__).parents[1] / "image" / "scripts"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def trainer(folder: Path) -> Trainer:
    """A job on the GPU that keeps its checkpoints on a claim."""
    (folder / "claims" / "checkpoints").mkdir(parents=True)
    store = {
        "SLIPWAY_CLAIMS_DIR": str(folder / "claims"),
        "SLIPWAY_CHECKPOINT_URI": "pvc://checkpoints/run",
        "PYTHONPATH": ":".join(sys.path),
    }
    env = {"SLIPWAY_BACKEND": "nccl"}
    return Trainer(folder, IMAGE_SCRIPTS, store, sys.executable, env=env)
