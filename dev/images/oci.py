"""The OCI layout that images are exported to; layers that images share are stored once."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev import paths

NAME = "org.opencontainers.image.ref.name"
_WRITTEN_SECONDS = 5.0
"""Longest time that the writing of an index may take, in seconds."""

Descriptor = dict[str, Any]


def layout() -> Path:
    """Return the layout's folder."""
    return paths.cache() / "oci"


def images() -> dict[str, Descriptor]:
    """Return the layout's images: their names and their entries in its index."""
    entries = _index()["manifests"] if (layout() / "index.json").exists() else []
    return {entry.get("annotations", {}).get(NAME, ""): entry for entry in entries}


def _index() -> Any:
    """Return the layout's index; skopeo writes it in place, so a reader may meet half of it."""
    deadline = time.monotonic() + _WRITTEN_SECONDS
    while True:
        try:
            return json.loads((layout() / "index.json").read_text())
        except json.JSONDecodeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def manifest(image: str) -> Descriptor | None:
    """Return the descriptor of an image's manifest, or None if the layout lacks the image."""
    entry = images().get(image)
    return {key: entry[key] for key in ("mediaType", "digest", "size")} if entry else None


def blobs(descriptor: Descriptor) -> Iterator[str]:
    """Yield the digests of all that a manifest needs, itself first and its layers last."""
    yield descriptor["digest"]
    content = json.loads(path(descriptor["digest"]).read_text())
    yield content["config"]["digest"]
    for layer in content["layers"]:
        yield layer["digest"]


def path(digest: str) -> Path:
    """Return where a blob lies."""
    return layout() / "blobs" / digest.replace(":", "/")
