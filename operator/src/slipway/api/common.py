"""The parts of Kubernetes' own API that the kinds take over, bounded."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, Quantity, map_list, rules

ConditionStatus = Literal["True", "False", "Unknown"]


class ResourceRequirements(ApiModel):
    """Compute resources of a container, as in a Pod."""

    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(
        default_factory=dict, description="Most that the container may use, such as nvidia.com/gpu."
    )
    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(
        default_factory=dict, description="What the scheduler sets aside for the container."
    )


class KeySelector(ApiModel):
    """One key of a ConfigMap or a Secret in the object's namespace."""

    name: DnsName
    """Name of the ConfigMap or Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Key in it."""
    optional: bool = False
    """Whether the container may start without it."""


class FieldSelector(ApiModel):
    """A field of the pod, by the downward API."""

    field_path: Annotated[str, Field(min_length=1, max_length=253)]
    """Path of the field, such as metadata.name."""


class EnvVarSource(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.configMapKeyRef), has(self.secretKeyRef), has(self.fieldRef)]"
            ".filter(x, x).size() == 1",
            "write exactly one of configMapKeyRef, secretKeyRef and fieldRef",
        )
    ),
):
    """Where a variable's value comes from: exactly one of its fields."""

    config_map_key_ref: KeySelector | None = None
    """A key of a ConfigMap."""
    secret_key_ref: KeySelector | None = None
    """A key of a Secret."""
    field_ref: FieldSelector | None = None
    """A field of the pod."""


class EnvVar(
    ApiModel,
    json_schema_extra=rules(
        (
            "!(has(self.value) && has(self.valueFrom))",
            "write either value or valueFrom, not both",
        )
    ),
):
    """An environment variable of a container, as in a Pod."""

    name: Annotated[
        str, Field(min_length=1, max_length=128, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
    ]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=4096)] | None = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value comes from instead."""


class SourceOfVariables(ApiModel):
    """A ConfigMap or a Secret in the object's namespace."""

    name: DnsName
    """Its name."""
    optional: bool = False
    """Whether the container may start without it."""


class EnvFrom(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.configMapRef) != has(self.secretRef)",
            "write exactly one of configMapRef and secretRef",
        )
    ),
):
    """Where many variables come from, as in a Pod; ``env`` counts more."""

    prefix: (
        Annotated[str, Field(max_length=128, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")] | None
    ) = None
    """What is put before each name."""
    config_map_ref: SourceOfVariables | None = None
    """A ConfigMap whose keys are the names."""
    secret_ref: SourceOfVariables | None = None
    """A Secret whose keys are the names."""


EnvFromList = Annotated[list[EnvFrom], Field(max_length=16)]


def none_named(names: Sequence[str], prefixes: Sequence[str]) -> str:
    """Return the CEL rule of a list of variables that has none of these names or beginnings."""
    quoted = ", ".join(f"'{name}'" for name in names)
    others = " && ".join(f"!e.name.startsWith('{prefix}')" for prefix in prefixes)
    return f"self.all(e, !(e.name in [{quoted}]) && {others})"


EnvList = Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=map_list("name"))]


class Condition(ApiModel):
    """One condition of an object's status, as Kubernetes' API conventions define it."""

    type: Annotated[str, Field(min_length=1, max_length=64)]
    """What the condition is about."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
    """Why, as one word that programs can compare."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, as a sentence."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When the status last changed."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this was derived from."""


ConditionList = Annotated[list[Condition], Field(max_length=16, json_schema_extra=map_list("type"))]


class ObjectMeta(ApiModel):
    """The metadata of an object that the operator reads."""

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


def controller_reference(owner: "OwnerLike") -> Mapping[str, Any]:
    """Return the ownerReferences entry that makes ``owner`` the controller of a child."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


class OwnerLike(ApiModel):
    """What the two kinds have in common."""

    api_version: str
    kind: str
    metadata: ObjectMeta
