"""JSON schemas for kubeconform, made of the OpenAPI document of a kube-apiserver.

kubeconform's own come from the Internet; these are of the very server that the tests run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""Names of the files, in kubeconform's terms."""
_GVK = "x-kubernetes-group-version-kind"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_EITHER: dict[str, Schema] = {
    _INT_OR_STRING: {"type": ["string", "integer"]},
    _QUANTITY: {"type": ["string", "number"]},
}


def write(openapi: Mapping[str, Any], folder: Path) -> str:
    """Write a strict schema for each kind of an OpenAPI v2 document; return where they lie.

    All definitions are in one file, which the file of each kind refers to.
    """
    definitions = {name: _strict(found) for name, found in openapi["definitions"].items()}
    definitions.update(_EITHER)
    (folder / "all.json").write_text(json.dumps({"definitions": definitions}))
    for name, found in openapi["definitions"].items():
        for kind in found.get(_GVK, ()):
            target = {"$ref": f"all.json#/definitions/{name}"}
            (folder / _file(kind)).write_text(json.dumps(target))
    return str(folder / LOCATION)


def _file(kind: Mapping[str, str]) -> str:
    """Return kubeconform's name for a kind's schema, such as ``role-rbac-v1.json``."""
    parts = [kind["kind"].lower(), kind["group"].partition(".")[0], kind["version"]]
    return "-".join(part for part in parts if part) + ".json"


def _strict(found: Schema) -> Schema:
    """Return a definition that refuses what it does not name."""
    if found.get("properties") and "additionalProperties" not in found:
        return {**found, "additionalProperties": False}
    return found
