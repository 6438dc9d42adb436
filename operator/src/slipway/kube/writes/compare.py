"""Telling whether an apply would change anything, without asking the API server.

An apply may be left out if the live object already contains what is desired, and if what was
applied last is what is desired now. The first check finds what others changed; the second one,
a hash kept in an annotation of the child, finds fields that are not desired any more.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.api.fields.quantity import parse_quantity
from slipway.plan import Manifest

APPLIED_HASH = "slipway.dev/applied-hash"
"""Annotation of a child: the hash of the manifest that was applied last."""

_QUANTITY_PARENTS = frozenset({"limits", "requests", "capacity"})
_QUANTITY_KEYS = frozenset({"sizeLimit", "averageValue"})
_WRITTEN_META = ("labels", "annotations", "ownerReferences", "finalizers", "deletionTimestamp")
"""The metadata of an object that its writers set; ``deletionTimestamp`` by having it deleted."""
_MERGE_KEYS = ("name", "containerPort", "mountPath", "key", "uid")


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, Mapping | list) and not value)


def _same_scalar(live: object, desired: object, *, quantity: bool) -> bool:
    if live == desired and isinstance(live, bool) == isinstance(desired, bool):
        return True
    if not quantity:
        return False
    left, right = parse_quantity(live), parse_quantity(desired)
    return left is not None and left == right


def _merge_key(items: Sequence[Any]) -> str | None:
    for key in _MERGE_KEYS:
        if all(isinstance(item, Mapping) and key in item for item in items):
            return key if len({json.dumps(item[key]) for item in items}) == len(items) else None
    return None


def _contains_list(live: Sequence[Any], desired: Sequence[Any]) -> bool:
    key = _merge_key(desired) if desired else None
    if key is None or _merge_key(live) != key:
        return len(live) == len(desired) and all(map(contains, live, desired))
    by_key = {item[key]: item for item in live}
    return all(item[key] in by_key and contains(by_key[item[key]], item) for item in desired)


def contains(live: object, desired: object, *, quantity: bool = False) -> bool:
    """Tell whether ``live`` holds all of ``desired``, which are JSON values.

    Objects may hold more fields and keyed lists (containers, volumes) more items, as defaults and
    other managers add them. Absent, null and empty are the same. With ``quantity`` the values are
    resource quantities: ``1000m`` is ``1``.
    """
    if _is_empty(desired):
        return True
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            contains(
                live.get(key),
                value,
                quantity=key in _QUANTITY_PARENTS
                or key in _QUANTITY_KEYS
                or (quantity and not isinstance(value, Mapping | list)),
            )
            for key, value in desired.items()
        )
    if isinstance(desired, list | tuple):
        return isinstance(live, list | tuple) and _contains_list(live, desired)
    return _same_scalar(live, desired, quantity=quantity)


def prune(value: Any) -> Any:
    """Return a JSON value without null and empty parts, so that two of them can be compared."""
    if isinstance(value, Mapping):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if not _is_empty(item)}
    if isinstance(value, list | tuple):
        return [prune(item) for item in value]
    return value


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that stand for a manifest's content."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def with_hash(manifest: Manifest) -> Manifest:
    """Return the manifest with its own hash as an annotation."""
    meta = manifest["metadata"]
    annotations = {**(meta.get("annotations") or {}), APPLIED_HASH: manifest_hash(manifest)}
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def with_data(secret: Manifest) -> Manifest:
    """Return a Secret's manifest with its write-only ``stringData`` as base64 ``data``."""
    plain = secret.get("stringData") or {}
    encoded = {key: b64encode(value.encode()).decode() for key, value in plain.items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {**rest, "data": {**(secret.get("data") or {}), **encoded}}


def is_applied(live: Manifest, desired: Manifest) -> bool:
    """Tell whether applying ``desired``, which has its hash, would change nothing."""
    return _applied_hash(live) == _applied_hash(desired) and contains(live, desired)


def _applied_hash(obj: Mapping[str, Any]) -> str | None:
    found: str | None = (obj["metadata"].get("annotations") or {}).get(APPLIED_HASH)
    return found


def is_patched(live: object, body: object) -> bool:
    """Tell whether a merge patch (RFC 7396) would change nothing; a null in it asks for absence."""
    if isinstance(body, Mapping):
        fields = live if isinstance(live, Mapping) else {}
        return all(is_patched(fields.get(key), value) for key, value in body.items())
    return live == body


def content_hash(obj: Manifest) -> str:
    """Return the hash of what writers of an object may set: not its status, nor what counts it."""
    meta = {key: obj["metadata"].get(key) for key in _WRITTEN_META}
    rest = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    return manifest_hash({**rest, "metadata": meta})
