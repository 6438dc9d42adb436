"""Where a TrainingJob's pods may run."""

from typing import Annotated, Literal

from pydantic import Field

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


class TopologySpread(ApiModel):
    """How this job's pods are spread over a topology's domains."""

    topology_key: LabelKey = Field(description="Label of nodes that names their domain.")
    max_skew: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Most that the numbers of pods in two domains may differ by."
    )
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "DoNotSchedule"
    """What to do with a pod that fits nowhere."""


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


SCHEDULING_RULES = (
    (
        "!has(self.exclusiveTopologyKey) || !has(self.topologySpread) || "
        "!self.topologySpread.exists(s, s.topologyKey == self.exclusiveTopologyKey)",
        "remove the topologySpread whose topologyKey is exclusiveTopologyKey: a job that has one "
        "domain for itself cannot be spread over several",
    ),
)
"""Rules that hold between the fields of `TrainingScheduling`."""


class TrainingScheduling(ApiModel):
    """Where the pods may run."""

    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)
    ] = Field(default_factory=dict, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default_factory=list, description="Taints that the pods tolerate."
    )
    topology_spread: Annotated[
        list[TopologySpread], Field(max_length=8, json_schema_extra=map_list("topologyKey"))
    ] = Field(default_factory=list, description="How the pods are spread over domains.")
    exclusive_topology_key: LabelKey | None = Field(
        default=None,
        description="Label of nodes that names their domain: all pods run in one domain, and no "
        "pod of another TrainingJob with them.",
    )
    priority_class_name: DnsName | None = Field(
        default=None, description="PriorityClass of the pods."
    )
    runtime_class_name: DnsName | None = Field(
        default=None, description="RuntimeClass of the pods, such as nvidia or gvisor."
    )
    resource_claims: Annotated[
        list[PodResourceClaim], Field(max_length=16, json_schema_extra=map_list("name"))
    ] = Field(default_factory=list, description="Claims to devices, for the script's container.")
