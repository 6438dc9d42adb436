"""An API server in memory: as much of its semantics as unit tests need."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

from slipway.accounts.fixed import SharedCredential
from slipway.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from slipway.kube.resources import Resource
from slipway.plan import Delete, Manifest, ObjectRef
from slipway.settings import StoreSettings

CREDENTIALS = SharedCredential(StoreSettings())
"""One credential for all namespaces."""


class FakeClient:
    """Keeps objects, merges applies into them as a server does, and counts writes.

    ``failures`` maps a verb to the error that it raises. ``admit`` changes what is created or
    applied, as an admission webhook does. A write that changes nothing leaves the version.
    """

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, Manifest] = {}
        self.writes: list[tuple[str, str, str]] = []
        self.failures: dict[str, KubeError] = {}
        self.events: list[Manifest] = []
        self.admit: Callable[[Manifest], None] = lambda _: None
        self._versions = itertools.count(100)

    def put(self, obj: Manifest) -> Manifest:
        """Store an object as if somebody else wrote it."""
        meta = obj["metadata"]
        version = str(next(self._versions))
        meta = {"uid": f"uid-{version}", **meta, "resourceVersion": version}
        stored = {**obj, "metadata": meta}
        known = self.objects.get(ObjectRef.of(stored))
        if known is not None and _content(known) == _content(stored):
            return known
        self.objects[ObjectRef.of(stored)] = stored
        return stored

    def _fail(self, verb: str) -> None:
        if verb in self.failures:
            raise self.failures[verb]

    async def get(self, ref: ObjectRef) -> Manifest | None:
        self._fail("get")
        return copy.deepcopy(self.objects.get(ref))

    async def apply(self, manifest: Manifest) -> Manifest:
        ref = ObjectRef.of(manifest)
        self.writes.append(("apply", ref.kind, ref.name))
        self._fail("apply")
        live = self.objects.get(ref)
        merged = {**(live or {}), **copy.deepcopy(manifest)}
        merged["metadata"] = {**(live or {}).get("metadata", {}), **merged["metadata"]}
        self.admit(merged)
        return copy.deepcopy(self.put(merged))

    async def write_status(self, obj: Manifest, status: Any) -> Manifest:
        ref, meta = ObjectRef.of(obj), obj["metadata"]
        self.writes.append(("status", ref.kind, ref.name))
        self._fail("status")
        live = self.objects.get(ref)
        if live is None:
            raise NotFound("There is no such object.", 404)
        if live["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise Conflict("The object has been modified.", 409)
        return copy.deepcopy(self.put({**live, "status": copy.deepcopy(status)}))

    async def create_new(self, manifest: Manifest) -> Manifest:
        ref = ObjectRef.of(manifest)
        if ref in self.objects:
            raise AlreadyExists("the object exists already", 409)
        self.writes.append(("create", ref.kind, ref.name))
        self._fail("create")
        made = copy.deepcopy(manifest)
        self.admit(made)
        return copy.deepcopy(self.put(made))

    async def patch(self, ref: ObjectRef, body: Any) -> Manifest:
        self.writes.append(("patch", ref.kind, ref.name))
        self._fail("patch")
        if ref not in self.objects:
            raise NotFound("There is no such object.", 404)
        return copy.deepcopy(self.put(merge(self.objects[ref], body)))

    async def delete(self, delete: Delete) -> Manifest:
        ref, uid = delete.ref, delete.uid
        self.writes.append(("delete", ref.kind, ref.name))
        self._fail("delete")
        if ref not in self.objects:
            raise NotFound("There is no such object.", 404)
        if self.objects[ref]["metadata"]["uid"] != uid:
            raise Conflict("The object has another uid.", 409)
        del self.objects[ref]
        return {"kind": "Status", "status": "Success"}

    async def create(self, _resource: Resource, _namespace: str, body: Manifest) -> Manifest:
        self._fail("create")
        self.events.append(body)
        return body


def _content(obj: Manifest) -> Manifest:
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": meta}


def merge(live: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    base = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merge(base.get(key), value)
    return base


def training_job(name: str = "job", **spec: Any) -> Manifest:
    """Return a TrainingJob as the API server would hold it."""
    base = {"source": {"configMap": {"name": "source"}}, "entrypoint": "train.py"}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {**base, **spec},
    }


def child(owner: Manifest, kind: str, name: str, api_version: str = "v1", **rest: Any) -> Manifest:
    """Return a child of ``owner`` with the labels and the reference that planners give it."""
    meta = owner["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {
                "app.kubernetes.io/managed-by": "slipway",
                "slipway.dev/training-job": meta["name"],
            },
            "ownerReferences": [reference(owner)],
        },
        **rest,
    }


def reference(owner: Manifest) -> Manifest:
    """Return the reference that makes ``owner`` the controller of a child."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
