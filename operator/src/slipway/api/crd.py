"""Turning the API models into CustomResourceDefinitions with structural schemas.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from slipway.api.base import GROUP, MAX_NAME, VERSION, ApiModel
from slipway.api.serving.deployment import ModelDeploymentSpec, ModelDeploymentStatus
from slipway.api.training.job import TrainingJobSpec
from slipway.api.training.life import MUTABLE
from slipway.api.training.status import TrainingJobStatus

Schema = dict[str, Any]

_KEPT = frozenset(
    {
        "type",
        "format",
        "description",
        "default",
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "maxProperties",
        "required",
        "allOf",
    }
)
"""JSON schema keywords that pass into a structural schema as they are."""


@dataclass(frozen=True)
class Column:
    """One additional printer column: shown by ``kubectl get``, or with ``-o wide`` if not 0."""

    name: str
    type: str
    path: str
    priority: int = 0

    def to_wire(self) -> dict[str, Any]:
        """Return the column as the CRD writes it."""
        head = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**head, "priority": self.priority} if self.priority else head


@dataclass(frozen=True)
class Kind:
    """What a CRD says of a kind beside its schema."""

    name: str
    plural: str
    short: str
    description: str
    spec: type[ApiModel]
    status: type[ApiModel]
    columns: tuple[Column, ...]
    scale: Mapping[str, str] | None = None
    mutable: frozenset[str] | None = None
    """Names of the spec's attributes that may change after creation; None lets all change."""


KINDS = (
    Kind(
        name="TrainingJob",
        plural="trainingjobs",
        short="tj",
        description="A training run, and the model archive that comes out of it.",
        spec=TrainingJobSpec,
        status=TrainingJobStatus,
        columns=(
            Column("Phase", "string", ".status.phase"),
            Column("Reason", "string", ".status.reason"),
            Column("Percent", "integer", ".status.progress.percent"),
            Column("Loss", "string", ".status.progress.metrics.loss"),
            Column("Nodes", "integer", ".spec.nodes"),
            Column("Step", "integer", ".status.progress.step", 1),
            Column("Checkpoint", "integer", ".status.progress.checkpoint.step", 1),
            Column("ETA", "integer", ".status.progress.etaSeconds", 1),
            Column("Restarts", "integer", ".status.attempt", 1),
            Column("Model", "string", ".status.package.uri", 1),
            Column("SHA256", "string", ".status.package.sha256", 1),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
        scale={
            "specReplicasPath": ".spec.nodes",
            "statusReplicasPath": ".status.nodes.active",
            "labelSelectorPath": ".status.selector",
        },
        mutable=MUTABLE,
    ),
    Kind(
        name="ModelDeployment",
        plural="modeldeployments",
        short="mdep",
        description="A model that pods serve behind one Service.",
        spec=ModelDeploymentSpec,
        status=ModelDeploymentStatus,
        columns=(
            Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
            Column("Revision", "string", ".status.revision"),
            Column("Replicas", "integer", ".status.replicas"),
            Column("Available", "integer", ".status.readyReplicas"),
            Column("URL", "string", ".status.url"),
            Column("Rollout", "string", ".status.rollout.phase", 1),
            Column("Weight", "integer", ".status.rollout.candidate.weight", 1),
            Column("Model", "string", ".status.model.uri", 1),
            Column("Age", "date", ".metadata.creationTimestamp"),
        ),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
)


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Follow ``$ref`` and the ``anyOf`` with null that optional fields are written as."""
    found = dict(node)
    if "anyOf" in found:
        options = [option for option in found.pop("anyOf") if option.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a structural schema has no anyOf of types: {node}")
        found = {**options[0], **found}
    if "$ref" in found:
        target = definitions[found.pop("$ref").rsplit("/", 1)[1]]
        found = {**_resolved(target, definitions), **found}
    if found.get("default", ...) is None:
        del found["default"]
    return found


def _structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return one node of a JSON schema as a structural schema."""
    found = _resolved(node, definitions)
    kept = {
        key: value
        for key, value in found.items()
        if key in _KEPT or key.startswith("x-kubernetes-")
    }
    if found.get("properties"):
        kept["properties"] = {
            name: _structural(value, definitions) for name, value in found["properties"].items()
        }
    if isinstance(found.get("items"), Mapping):
        kept["items"] = _structural(found["items"], definitions)
    if isinstance(found.get("additionalProperties"), Mapping):
        kept["additionalProperties"] = _structural(found["additionalProperties"], definitions)
    if "const" in found:
        kept["enum"] = [found["const"]]
    return kept


def _with_nested_defaults(schema: Schema, model: type[ApiModel]) -> Schema:
    """Default each absent object that has defaults inside to the whole of them."""
    for name, info in model.model_fields.items():
        inner = info.default_factory
        if isinstance(inner, type) and issubclass(inner, ApiModel):
            field = schema["properties"][info.alias or name]
            field["default"] = inner().to_wire()
            _with_nested_defaults(field, inner)
    return schema


def schema_of(model: type[ApiModel]) -> Schema:
    """Return a model's structural schema, without references."""
    raw = model.model_json_schema(by_alias=True)
    return _with_nested_defaults(_structural(raw, raw.get("$defs", {})), model)


def _rule(rule: str, message: str) -> dict[str, str]:
    return {"rule": rule, "message": message}


def _fixed(schema: Schema, model: type[ApiModel], mutable: frozenset[str]) -> Schema:
    """Add the transition rules that keep all fields but the mutable ones as they were created."""
    keep = [info.alias or name for name, info in model.model_fields.items() if name not in mutable]
    for name in keep:
        message = f"{name} cannot change after creation: create a new object with another name"
        field = schema["properties"][name]
        field["x-kubernetes-validations"] = [
            *field.get("x-kubernetes-validations", []),
            _rule("self == oldSelf", message),
        ]
    optional = [name for name in keep if name not in schema.get("required", [])]
    schema["x-kubernetes-validations"] = [
        *schema.get("x-kubernetes-validations", []),
        *(
            _rule(
                f"has(self.{name}) == has(oldSelf.{name})",
                f"{name} cannot be added or removed after creation: create a new object",
            )
            for name in optional
            if "default" not in schema["properties"][name]
        ),
    ]
    return schema


def _root_schema(kind: Kind) -> Schema:
    spec = schema_of(kind.spec)
    if kind.mutable is not None:
        spec = _fixed(spec, kind.spec, kind.mutable)
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": schema_of(kind.status),
        },
        "x-kubernetes-validations": [
            _rule(
                f"self.metadata.name.size() <= {MAX_NAME} && !self.metadata.name.contains('.') && "
                "self.metadata.name.matches('^[a-z]')",
                f"choose a name of at most {MAX_NAME} characters without dots that begins with a "
                "letter: the names of pods and Services are made from it",
            )
        ],
    }


def crd(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    subresources: dict[str, Any] = {"status": {}}
    if kind.scale:
        subresources["scale"] = dict(kind.scale)
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": subresources,
        "additionalPrinterColumns": [column.to_wire() for column in kind.columns],
        "schema": {"openAPIV3Schema": _root_schema(kind)},
    }
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [kind.short],
        "categories": ["slipway"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class _Plain(yaml.SafeDumper):
    """Writes each value out where it stands, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def crd_files(write: Callable[[str, str], None]) -> None:
    """Hand each CRD to ``write`` as its file's name and its YAML text."""
    for kind in KINDS:
        head = "# Generated from slipway.api by `make crds`; do not edit.\n"
        text = yaml.dump(crd(kind), Dumper=_Plain, sort_keys=False)
        write(f"{GROUP}_{kind.plural}.yaml", head + text)
