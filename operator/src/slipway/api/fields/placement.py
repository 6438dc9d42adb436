"""Where the pods of either kind may run, as whom, and what devices they claim."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel, DnsName, map_list, rules, text

LabelKey = Annotated[
    str,
    text(
        "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "write a label's key, such as topology.kubernetes.io/zone",
        longest=317,
    ),
]


class Toleration(
    ApiModel,
    json_schema_extra=rules(
        (
            "self.operator != 'Exists' || !has(self.value)",
            "remove value, or write operator: Equal: Exists asks for no value",
        ),
        (
            "has(self.key) || self.operator == 'Exists'",
            "write key, or operator: Exists to tolerate every taint",
        ),
    ),
):
    """A taint that the pods tolerate, as in a Pod."""

    key: LabelKey | None = None
    """Key of the taint; every key where absent."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Whether the taint's value counts."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; every effect where absent."""
    toleration_seconds: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="How long a NoExecute taint is tolerated, in seconds."
    )


class PodResourceClaim(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
            "write exactly one of resourceClaimName (shared by all pods) and "
            "resourceClaimTemplateName (a claim for each pod)",
        )
    ),
):
    """A claim to devices by dynamic resource allocation, which the script's container gets."""

    name: DnsName
    """Name of the claim in the pod."""
    resource_claim_name: DnsName | None = None
    """A ResourceClaim that all pods share."""
    resource_claim_template_name: DnsName | None = None
    """A ResourceClaimTemplate from which each pod gets a claim of its own."""


PriorityClassName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=rules(
            (
                "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
                "write the name of a PriorityClass: lower-case letters, digits, '-' and '.'",
            ),
            (
                "!self.startsWith('system-')",
                "write a PriorityClass of your cluster's administrators: system-* would drive the "
                "pods of all others from their nodes",
            ),
        ),
    ),
]
"""A PriorityClass that is not for the pods that a cluster itself is made of."""


class SecretReference(ApiModel):
    """A Secret in the object's namespace."""

    name: DnsName
    """Name of the Secret."""


Affinity = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""A Pod's own affinity, which the API server checks with the pod."""


class Placement(ApiModel):
    """Where pods may run, as whom, and what devices they claim: as in a Pod."""

    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)
    ] = Field(default_factory=dict, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default_factory=list, description="Taints that the pods tolerate."
    )
    affinity: Affinity | None = Field(
        default=None, description="Nodes and pods that the pods seek or avoid, as in a Pod."
    )
    priority_class_name: PriorityClassName | None = Field(
        default=None, description="PriorityClass of the pods; none of Kubernetes' own (system-*)."
    )
    runtime_class_name: DnsName | None = Field(
        default=None, description="RuntimeClass of the pods, such as nvidia or gvisor."
    )
    service_account_name: DnsName | None = Field(
        default=None,
        description="ServiceAccount of the pods, for a cloud's workload identity; its token is "
        "mounted only where podTemplate says automountServiceAccountToken: true.",
    )
    image_pull_secrets: Annotated[
        list[SecretReference], Field(max_length=16, json_schema_extra=map_list("name"))
    ] = Field(
        default_factory=list,
        description="Secrets with registry credentials, beside those of the release.",
    )
    resource_claims: Annotated[
        list[PodResourceClaim], Field(max_length=16, json_schema_extra=map_list("name"))
    ] = Field(
        default_factory=list,
        description="Claims to devices, for the container of the script or of the model.",
    )
