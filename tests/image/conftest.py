"""Scripts under torchrun in a real image with torch, with the keeper of checkpoints beside them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.images import buildah, product
from tests.harness.s3 import S3Server
from tests.harness.trainer import Enter, Trainer
from tests.unit.runtime.conftest import s3

__all__ = ["s3"]

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def inside() -> Iterator[tuple[Path, Enter]]:
    """A folder, and what lets commands run in the image, which sees it."""
    image = product.ensure_frameworks()
    short = tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp")  # for unix sockets
    with short as name, buildah.container(image.reference, Path(name)) as enter:
        yield Path(name), enter


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder of a module's own, which a container may see; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def trainer(s3: S3Server, inside: tuple[Path, Enter]) -> Trainer:
    """A job whose checkpoints go to a store of the test's own."""
    root, enter = inside
    store = {"SLIPWAY_CHECKPOINT_URI": "s3://slipway/checkpoints", **s3.env}
    return Trainer(root, SCRIPTS, store, "/opt/venv/bin/python3", enter)
