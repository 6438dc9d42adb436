"""What an object names in the store, whichever of its fields does: read out of its texts.

So no field is forgotten: an archive may stand in a ModelDeployment's spec, in its status' model,
candidate and history, or in the record of a revision that still has pods.
"""

import re
from collections.abc import Iterator
from typing import Any

from slipway.manifests import UNREADABLE
from slipway.plan import Manifest, Reference

_URI = re.compile(r"s3://[^\s\"'\\<>]+")
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def reference_of(obj: Manifest) -> Reference:
    """Return what an object of the cluster names: URIs in the store and digests of archives."""
    texts = tuple(_texts(obj))
    meta = obj["metadata"]
    return Reference(
        f"{obj.get('kind') or 'an object'} {meta['name']}",
        frozenset(uri for text in texts for uri in _URI.findall(text)),
        frozenset(digest for text in texts for digest in _DIGEST.findall(text)),
        UNREADABLE in (obj.get("spec") or {}),
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
