"""Loading images into the node's containerd."""

import io
import json
import subprocess
import tarfile
from collections.abc import Collection, Iterable
from typing import IO

from dev.cluster import layout as cluster
from dev.errors import DevError
from dev.images import oci
from dev.shell import replacing, run
from dev.steps import step

CTR = ("ctr", f"--address={cluster.CONTAINERD_SOCKET}", "--namespace=k8s.io")
NAME = "io.containerd.image.name"


def load(images: Iterable[str]) -> None:
    """Load the images that the node does not have; layers that it has are not sent again."""
    present = set(run(*CTR, "images", "ls", "-q").split())
    for image in images:
        if image not in present:
            with step(f"Loading {image} into the node"):
                _load(image)


def remove_all_but(keep: Collection[str]) -> None:
    """Remove our images with other names; containers that run from them run on."""
    names = run(*CTR, "images", "ls", "-q").split()
    ours = [name for name in names if name.startswith("localhost/slipway")]
    if others := [name for name in ours if name not in keep]:
        run(*CTR, "images", "rm", *others)


def _load(image: str) -> None:
    manifest = oci.manifest(image)
    if not manifest:
        raise DevError(f"{image} has not been built: run `make images`.")
    present = set(run(*CTR, "content", "ls", "-q").split())
    blobs = [digest for digest in oci.blobs(manifest) if digest not in present]
    argv = (*CTR, "images", "import", "-")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as ctr:
        assert ctr.stdin  # noqa: S101
        assert ctr.stderr  # noqa: S101
        try:
            _send(ctr.stdin, image, manifest, blobs)
            ctr.stdin.close()
        except BrokenPipeError:
            pass
        error = ctr.stderr.read().decode()
    if ctr.returncode:
        raise DevError(f"containerd does not take {image}: {error.strip()}")
    for digest in blobs:
        _share(digest)


def _share(digest: str) -> None:
    """Keep a blob once on the disk, not both in the layout and in containerd's store."""
    store = cluster.containerd_root() / "io.containerd.content.v1.content"
    kept = store / "blobs" / digest.replace(":", "/")
    if kept.stat().st_dev == oci.layout().stat().st_dev:
        with replacing(oci.path(digest)) as link:
            link.hardlink_to(kept)


def _send(out: IO[bytes], image: str, manifest: oci.Descriptor, blobs: Iterable[str]) -> None:
    """Write an OCI archive with these blobs only."""
    named = {**manifest, "annotations": {NAME: image}}
    index = {"schemaVersion": 2, "manifests": [named]}
    with tarfile.open(fileobj=out, mode="w|") as archive:
        _add(archive, "oci-layout", {"imageLayoutVersion": "1.0.0"})
        for digest in blobs:
            archive.add(oci.path(digest), f"blobs/{digest.replace(':', '/')}")
        _add(archive, "index.json", index)


def _add(archive: tarfile.TarFile, name: str, content: oci.Descriptor) -> None:
    data = json.dumps(content).encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
