"""What the trainer's own image must hold, beyond what the cluster's tests use."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from dev.images import buildah, product

pytestmark = pytest.mark.image


def test_the_trainer_has_what_torch_asks_a_gpu_for_its_use_with() -> None:
    image = product.ensure_stored("trainer")
    ask = "import torch; torch.cuda.utilization()"
    with (
        tempfile.TemporaryDirectory(prefix="slipway-") as folder,
        buildah.container(image.reference, Path(folder)) as enter,
    ):
        asked = subprocess.run(
            enter(("/opt/venv/bin/python3", "-c", ask)), capture_output=True, text=True
        )
    assert "NVML Shared Library Not Found" in asked.stderr  # the driver's own, which no image has
