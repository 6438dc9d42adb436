"""What the Python server's image has beside TorchServe's: no Java, and less of all."""

import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from dev.images import buildah, product

pytestmark = pytest.mark.image

MEGABYTES_LESS = 200
LIST = ("find", "/", "-xdev", "!", "-type", "d", "-printf", "%s %p\\n")
"""Tells size in bytes and path of each file, and of nothing that is mounted."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, int]]:
    """The files of both images: their paths, and their sizes in bytes."""
    folder = tmp_path_factory.mktemp("listing")
    return {name: files(name, folder) for name in ("python", "server")}


def files(name: str, folder: Path) -> Mapping[str, int]:
    image = product.ensure_stored(name)
    with buildah.container(image.reference, folder) as enter:
        done = subprocess.run(enter(LIST), capture_output=True, text=True, check=True)
    pairs = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {path: int(size) for size, path in pairs}


def of_java(paths: Mapping[str, int]) -> list[str]:
    """Return what only Java runs, and what runs it."""
    found = map(PurePosixPath, paths)
    return [str(path) for path in found if path.suffix == ".jar" or path.name == "java"]


def test_the_python_image_has_no_java_and_nothing_that_java_would_run(
    images: Mapping[str, Mapping[str, int]],
) -> None:
    assert of_java(images["server"]), "TorchServe's image has what is looked for"
    assert of_java(images["python"]) == []


def test_the_python_image_is_much_smaller_than_torchserves(
    images: Mapping[str, Mapping[str, int]],
) -> None:
    python, server = (sum(images[name].values()) for name in ("python", "server"))
    assert python + MEGABYTES_LESS * 10**6 <= server
