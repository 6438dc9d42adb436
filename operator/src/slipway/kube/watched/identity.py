"""Whose an object is, and which of two versions of it is the newer one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from slipway.manifests import OWNER_LABELS
from slipway.plan import Manifest


class OwnerKey(NamedTuple):
    """The owner that a child's labels name."""

    kind: str
    namespace: str
    name: str


def version_of(obj: Mapping[str, Any]) -> int:
    """Return an object's resourceVersion as a number, which grows with each change.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    text = str(obj["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return an object's UID; empty where it has none yet."""
    return str(obj["metadata"].get("uid") or "")


def owner_of(obj: Mapping[str, Any]) -> OwnerKey | None:
    """Return the owner that an object's labels name, or None."""
    meta = obj["metadata"]
    labels = meta.get("labels") or {}
    for kind, label in OWNER_LABELS.items():
        if label in labels:
            return OwnerKey(kind, meta.get("namespace", ""), labels[label])
    return None


def controller_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ownerReferences entry of an object's controller, or an empty one."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((ref for ref in references if ref.get("controller")), {})


def is_grandchild(controller: str, obj: Manifest, owner: Manifest, parents: set[str]) -> bool:
    """Tell whether a pod belongs to one of the owner's children.

    A Deployment's pods belong to ReplicaSets, which are not watched: the pod's age tells then
    whether it can belong to this owner or must be a namesake's.
    """
    if controller in parents:
        return True
    if controller_of(obj).get("kind") != "ReplicaSet":
        return False
    born = obj["metadata"].get("creationTimestamp") or ""
    return bool(born >= (owner["metadata"].get("creationTimestamp") or ""))
