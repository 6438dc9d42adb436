"""Archives that need torch: they are answered as by TorchServe, and weights of every kind load."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.images import buildah, product
from tests.harness.ports import free_ports
from tests.harness.trainer import Enter
from tests.harness.trees import end_tree
from tests.unit.server.conformance.asking import ask_all, compare, compare_all, stored, write
from tests.unit.server.conformance.cases import CASES
from tests.unit.server.conformance.torchserve import make_weights
from tests.unit.server.conformance.with_torch import NET, TENSORS, WITH_TORCH
from tests.unit.server.conftest import (
    PROJECT,
    Served,
    connected,
    doors,
    write_archive,
)

pytestmark = pytest.mark.image

ALLOWED = "SLIPWAY_ALLOW_PICKLED_MODELS=true"
PICKLED = "pickledModel: true\n"
WEIGHTS = {
    "safetensors": ({"modelFile": "net.py", "serializedFile": "net.safetensors"}, ""),
    "a program": ({"serializedFile": "net.pt2"}, ""),
    "a pickled module": ({"serializedFile": "whole.pt"}, PICKLED),
}
"""Ways of keeping weights that TorchServe's BaseHandler does not load, and model-config.yaml."""


class Place:
    """A folder, the image with torch that sees it, and the server's sources in it."""

    def __init__(self, root: Path, enter: Enter) -> None:
        self.root = root
        self._enter = enter
        self.made = make_weights(root, enter)
        for name in ("src", "handlers"):
            shutil.copytree(PROJECT / name, root / "server" / name)

    @contextlib.contextmanager
    def served(self, archive: Path, *variables: str) -> Iterator[Served]:
        """Serve an archive until the block ends."""
        ports, log = free_ports(3), archive.with_suffix(".log")
        path = f"PYTHONPATH={self.root}/server/src:{self.root}/server/handlers"
        words = ["env", "HOME=/tmp", path, *variables, "/opt/venv/bin/python", "-m"]
        command = [*words, "slipway_server", str(archive), *doors(ports), "--drain-seconds=1"]
        with log.open("wb") as output:
            process = subprocess.Popen(list(self._enter(command)), stdout=output, stderr=output)
        try:
            yield Served(process, ports, log)
        finally:
            end_tree(process)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    image = product.ensure_archives("python")
    with (
        tempfile.TemporaryDirectory(prefix="slipway-", dir="/tmp") as name,
        buildah.container(image.reference, Path(name)) as enter,
    ):
        yield Place(Path(name), enter)


@pytest.mark.parametrize("name", WITH_TORCH)
async def test_a_model_is_answered_as_by_torchserve(place: Place, name: str) -> None:
    archive = write(place.root, name, CASES[name], place.made)
    with place.served(archive) as process:
        async with connected(process) as server:
            compare_all(name, await ask_all(server.url(""), name))


@pytest.mark.parametrize("name", WEIGHTS)
async def test_weights_of_other_kinds_give_the_same_answers(place: Place, name: str) -> None:
    with place.served(with_weights(place, name), ALLOWED) as process:
        async with connected(process) as server:
            given = await ask_all(server.url(""), "eager")
    for told, expected in zip(given, stored("eager"), strict=True):
        compare(told, expected)


async def test_a_pickled_module_is_loaded_only_where_that_is_allowed(place: Place) -> None:
    with place.served(with_weights(place, "a pickled module")) as process:
        async with connected(process, ready=False) as server:
            assert await server.end() == 1
            assert "have SLIPWAY_ALLOW_PICKLED_MODELS=true in" in server.log


def with_weights(place: Place, name: str) -> Path:
    """Write the archive of the network with its weights in a file of another kind."""
    model, config = WEIGHTS[name]
    kept = model["serializedFile"]
    files: dict[str, str | bytes] = {"handler.py": TENSORS, "net.py": NET}
    files[kept] = (place.made / kept).read_bytes()
    if config:
        files["mc.yaml"], model = config, {**model, "configFile": "mc.yaml"}
    return write_archive(place.root / "eager.mar", files, modelName="eager", **model)
