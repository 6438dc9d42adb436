"""What the operator knows of the cluster: its own kinds, and their children by owner.

The watches feed it, and so does the answer to each of the operator's own writes: a reconcile sees
what the one before it wrote. Whatever comes twice or late loses against the newer version.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import FIFOCache

from slipway.kube.resources import GANGS
from slipway.manifests import OWNER_LABELS
from slipway.plan import Children, Manifest, ObjectRef

_TOMBSTONES = 4096
_GONE_PODS = 512
"""How many deleted pods are remembered as they were last seen."""
_UNWATCHED = frozenset(resource.kind for resource in GANGS)
_POD_FIELDS = ("nodeName", "nodeSelector", "schedulingGates", "priorityClassName")
_CONTAINER_FIELDS = ("name", "image", "resources", "restartPolicy")
_HEAVY_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, order=True)
class OwnerKey:
    """The owner that a child's labels name."""

    kind: str
    namespace: str
    name: str


def slim(obj: Mapping[str, Any]) -> Manifest:
    """Return an object without what nobody reads and what weighs most.

    That is metadata of whoever wrote it, and most of the spec of a pod and of a Job's pods: their
    owner has that.
    """
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    notes = meta.get("annotations") or {}
    if _HEAVY_ANNOTATION in notes:
        meta["annotations"] = {k: v for k, v in notes.items() if k != _HEAVY_ANNOTATION}
    rest = {**obj, "metadata": meta}
    slimmer = _SLIMMER.get(obj["kind"])
    return {**rest, "spec": slimmer(obj.get("spec") or {})} if slimmer else rest


def _slim_pod(spec: Mapping[str, Any]) -> Manifest:
    """Return where a pod runs, and what its containers are and which variables they have."""
    kept = {key: spec[key] for key in _POD_FIELDS if key in spec}
    for group in ("initContainers", "containers"):
        if spec.get(group):
            kept[group] = [_slim_container(container) for container in spec[group]]
    return kept


def _slim_container(container: Mapping[str, Any]) -> Manifest:
    kept = {key: container[key] for key in _CONTAINER_FIELDS if key in container}
    if container.get("env"):
        kept["env"] = [{"name": variable["name"]} for variable in container["env"]]
    return kept


def _slim_job(spec: Mapping[str, Any]) -> Manifest:
    """Return a Job's own fields, and its containers' images and the operator's variables there."""
    pod = (spec.get("template") or {}).get("spec") or {}
    kept: Manifest = {}
    for group in ("initContainers", "containers"):
        if pod.get(group):
            kept[group] = [_told_container(container) for container in pod[group]]
    return {**spec, "template": {"spec": kept}}


def _told_container(container: Mapping[str, Any]) -> Manifest:
    env = container.get("env") or ()
    ours = [variable for variable in env if variable["name"].startswith("SLIPWAY_")]
    return {"name": container["name"], "image": container.get("image"), "env": ours}


_SLIMMER = {"Pod": _slim_pod, "Job": _slim_job}


def version_of(obj: Mapping[str, Any]) -> int:
    """Return an object's resourceVersion as a number, which grows with each change.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    text = str(obj["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


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


class Cache:
    """All objects that the watches cover. Not thread-safe: one event loop uses it."""

    def __init__(self) -> None:
        self._objects: dict[ObjectRef, Manifest] = {}
        self._by_kind: dict[str, dict[ObjectRef, None]] = {}
        self._by_owner: dict[OwnerKey, dict[ObjectRef, None]] = {}
        self._tombstones: FIFOCache[str, float] = FIFOCache(_TOMBSTONES)
        self._gone_pods: FIFOCache[str, Manifest] = FIFOCache(_GONE_PODS)

    def __len__(self) -> int:
        return len(self._objects)

    def feed(self, obj: Mapping[str, Any]) -> bool:
        """Take in a version of an object; tell whether it is news."""
        ref, uid = ObjectRef.of(obj), obj["metadata"].get("uid", "")
        known = self._objects.get(ref)
        if version_of(obj) <= self._tombstones.get(uid, -1):
            return False
        if known and version_of(known) >= version_of(obj):
            return False
        if known:
            self._forget(ref, known)
        self._objects[ref] = slim(obj)
        self._by_kind.setdefault(ref.kind, {})[ref] = None
        if owner := owner_of(obj):
            self._by_owner.setdefault(owner, {})[ref] = None
        return True

    def remove(self, ref: ObjectRef, uid: str, version: float = math.inf) -> bool:
        """Drop an object that is gone; tell whether it was known.

        A watch and a listing also say "gone" of what only lost the label that they select by. With
        the ``version`` at which they say so, what is newer is news again; without it nothing is.
        """
        self._tombstones[uid] = version
        known = self._objects.get(ref)
        if known is None or known["metadata"].get("uid", "") != uid:
            return False
        self._forget(ref, known)
        if ref.kind == "Pod":
            self._remember(uid, known)
        if ref.kind in OWNER_LABELS:
            self._drop_unwatched(OwnerKey(ref.kind, ref.namespace, ref.name))
        return True

    def _drop_unwatched(self, owner: OwnerKey) -> None:
        """Drop an owner's children of kinds that no watch covers, since they go with it."""
        for child in tuple(self._by_owner.get(owner, ())):
            if child.kind in _UNWATCHED:
                self._forget(child, self._objects[child])

    def _remember(self, uid: str, pod: Manifest) -> None:
        """Keep what was last seen of a pod: a failure is told apart from those that died of it."""
        place = {key: value for key, value in pod.get("spec", {}).items() if key == "nodeName"}
        self._gone_pods[uid] = {**pod, "spec": place}

    def _forget(self, ref: ObjectRef, known: Manifest) -> None:
        del self._objects[ref]
        self._by_kind[ref.kind].pop(ref, None)
        owner = owner_of(known)
        if owner and (siblings := self._by_owner.get(owner)):
            siblings.pop(ref, None)
            if not siblings:
                del self._by_owner[owner]

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return the newest known version of an object, or None. It must not be changed."""
        return self._objects.get(ref)

    def of_kind(self, kind: str, namespace: str | None = None) -> Iterable[Manifest]:
        """Yield all known objects of a kind, in all namespaces or in one."""
        for ref in tuple(self._by_kind.get(kind, ())):
            if namespace is None or ref.namespace == namespace:
                yield self._objects[ref]

    def children(self, owner: Manifest) -> Children:
        """Return the objects that belong to ``owner`` itself, not to a namesake before it.

        These are those that it controls, and the pods that such a one controls in turn.
        """
        meta = owner["metadata"]
        key = OwnerKey(owner["kind"], meta["namespace"], meta["name"])
        family = {ref: self._objects[ref] for ref in self._by_owner.get(key, ())}
        direct = {
            ref for ref, obj in family.items() if controller_of(obj).get("uid") == meta["uid"]
        }
        parents = {family[ref]["metadata"]["uid"] for ref in direct}
        mine = {r: o for r, o in family.items() if r in direct or _is_grandchild(o, owner, parents)}
        gone = (pod for pod in self._gone_pods.values() if owner_of(pod) == key)
        return Children(mine, tuple(p for p in gone if controller_of(p).get("uid") in parents))


def _is_grandchild(pod: Manifest, owner: Manifest, parents: set[str]) -> bool:
    """Tell whether a pod belongs to one of the owner's children.

    A Deployment's pods belong to ReplicaSets, which are not watched: the pod's age tells then
    whether it can belong to this owner or must be a namesake's.
    """
    controller = controller_of(pod)
    if controller.get("kind") == "ReplicaSet":
        born = pod["metadata"].get("creationTimestamp") or ""
        return born >= (owner["metadata"].get("creationTimestamp") or "")
    return controller.get("uid") in parents
