"""Whose a child's fields are: what the operator created is to count as applied by it.

Creating an object takes the API server about half the work of applying it. But a later apply takes
away only fields that the one before had applied, and those that were created stay. So before a
child is applied for the first time, its ``managedFields`` are rewritten once, in the way of
client-go's csaupgrade. Source:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
"""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.manifests import MANAGER

Entry = Mapping[str, Any]
"""One manager's fields (meta/v1 ManagedFieldsEntry)."""
Fields = dict[str, Any]
"""A set of fields as a tree of keys ``f:NAME``, ``k:{...}``, ``v:...`` and ``.`` (FieldsV1)."""

_SPEC, _REPLICAS = "f:spec", "f:replicas"


def as_applied(entries: Sequence[Entry]) -> list[Entry] | None:
    """Return the entries with what was created counted as applied; None where nothing is to change.

    ``spec.replicas`` is left out: the operator patches it and never applies it, for a field that
    was applied once and is not any more falls back to its default.
    """
    created = next((one for one in entries if _is_ours(one, "Update")), None)
    if created is None:
        return None
    fields, patched = _without_replicas(created.get("fieldsV1") or {})
    if not fields:
        return None
    applied = next((one for one in entries if _is_ours(one, "Apply")), None)
    if applied is not None:
        fields = _union(applied.get("fieldsV1") or {}, fields)
    rest = [one for one in entries if one is not created and one is not applied]
    kept = [{**created, "fieldsV1": patched}] if patched else []
    return [{**created, "operation": "Apply", "fieldsV1": fields}, *kept, *rest]


def _is_ours(entry: Entry, operation: str) -> bool:
    mine = (entry.get("manager"), entry.get("operation")) == (MANAGER, operation)
    return mine and not entry.get("subresource")


def _without_replicas(fields: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """Return the fields without ``spec.replicas``, and that one alone; each may be empty."""
    spec = dict(fields.get(_SPEC) or {})
    if _REPLICAS not in spec:
        return dict(fields), {}
    replicas = {_SPEC: {_REPLICAS: spec.pop(_REPLICAS)}}
    rest = {key: value for key, value in fields.items() if key != _SPEC}
    return ({**rest, _SPEC: spec} if spec else rest), replicas


def _union(left: Mapping[str, Any], right: Mapping[str, Any]) -> Fields:
    """Return the fields that are in one set or in the other."""
    return {
        key: _union(left.get(key) or {}, right.get(key) or {})
        for key in dict.fromkeys([*left, *right])
    }
