"""Removing from the cache what earlier states of the clone have left there."""

import json
import shutil
from collections.abc import Iterator

from dev import gotools, paths
from dev.cluster import daemon, layout
from dev.datasets import bring
from dev.datasets.catalogue import DATASETS
from dev.errors import DevError
from dev.images import buildah, oci, product, system
from dev.images.product import Image
from dev.shell import write
from dev.steps import step


def prune() -> None:
    """Remove programs, data and images that this clone no longer makes; the cluster has to be down.

    The node forgets its copies of the images when the next cluster starts.
    """
    if daemon.all_recorded(layout.STATE):
        raise DevError("The cluster uses what would be removed: run `make down` first.")
    with step("Removing programs, data and images of earlier states"):
        _prune_tools()
        _prune_data()
        keep = set(_references())
        with buildah.alone(), buildah.alone(buildah.SYSTEM):
            buildah.remove_all_but(keep)
            _prune_layout(keep)


def _prune_tools() -> None:
    current = {module.folder for module in gotools.MODULES}
    for folder in (paths.cache() / "tools").glob("*/"):
        if folder not in current:
            shutil.rmtree(folder)


def _prune_data() -> None:
    current = {bring.folder(name) for name in DATASETS}
    for folder in bring.root().glob("*/"):
        if folder not in current:
            shutil.rmtree(folder)


def _prune_layout(keep: set[str]) -> None:
    kept = [entry for name, entry in oci.images().items() if name in keep]
    blobs = {oci.path(digest) for entry in kept for digest in oci.blobs(entry)}
    index = {"schemaVersion": 2, "manifests": kept}
    write(oci.layout() / "index.json", json.dumps(index))
    for blob in (oci.layout() / "blobs" / "sha256").iterdir():
        if blob not in blobs:
            blob.unlink()


def _references() -> Iterator[str]:
    yield from (image.reference for image in system.images().values())
    archives = (product.archives("server"), product.archives("python"))
    layers = (product.frameworks(), product.compiler())
    of_tests = (*layers, *archives, *product.examples().values())
    for image in (*product.images().values(), *of_tests):
        yield from _with_bases(image)


def _with_bases(image: Image) -> Iterator[str]:
    yield image.reference
    for base in image.bases.values():
        yield from _with_bases(base)
