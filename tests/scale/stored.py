"""Objects written as they are stored, past the API server: a thousand in a second, not ten.

The API server's watches tell of them as of others. It stores its own kinds as protobuf and reads
JSON as well. Source for the gateway: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
"""

import base64
import json
import uuid
from collections.abc import Iterable, Sequence
from itertools import islice

import httpx

from slipway.kube.resources import resource_of
from slipway.plan import Manifest, ObjectRef
from tests.harness import TestControlPlane

_OPERATIONS = 120
"""Writes in one transaction; etcd takes 128 at most (--max-txn-ops)."""


def _key(obj: Manifest) -> str:
    ref = ObjectRef.of(obj)
    resource = resource_of(ref)
    group = f"{resource.group}/" if resource.group == "slipway.dev" else ""
    return f"/registry/{group}{resource.plural}/{ref.namespace}/{ref.name}"


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _put(obj: Manifest) -> Manifest:
    return {"requestPut": {"key": _coded(_key(obj)), "value": _coded(json.dumps(obj))}}


def store(plane: TestControlPlane, objects: Iterable[Manifest]) -> None:
    """Write objects of kinds whose place in etcd follows from their names: none is a Service."""
    with httpx.Client(base_url=f"http://127.0.0.1:{plane.plane.etcd_port}", timeout=60) as etcd:
        left = iter(objects)
        while batch := list(islice(left, _OPERATIONS)):
            etcd.post("/v3/kv/txn", json={"success": list(map(_put, batch))}).raise_for_status()


def copies(family: Sequence[Manifest], name: str, copy: str) -> list[Manifest]:
    """Return a family of objects under another name, each with a UID of its own.

    ``name`` is what the names of all of them begin with, and nothing else that they contain.
    """
    text = json.dumps(family).replace(name, copy)
    for obj in family:
        text = text.replace(obj["metadata"]["uid"], str(uuid.uuid4()))
    made: list[Manifest] = json.loads(text)
    for obj in made:
        obj["metadata"].pop("resourceVersion", None)
    return made
