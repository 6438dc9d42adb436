"""Where a TrainingJob's pods may run."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, map_list
from slipway.api.fields.placement import LabelKey, Placement


class TopologySpread(ApiModel):
    """How this job's pods are spread over a topology's domains."""

    topology_key: LabelKey = Field(description="Label of nodes that names their domain.")
    max_skew: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Most that the numbers of pods in two domains may differ by."
    )
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "DoNotSchedule"
    """What to do with a pod that fits nowhere."""


SCHEDULING_RULES = (
    (
        "!has(self.exclusiveTopologyKey) || !has(self.topologySpread) || "
        "!self.topologySpread.exists(s, s.topologyKey == self.exclusiveTopologyKey)",
        "remove the topologySpread whose topologyKey is exclusiveTopologyKey: a job that has one "
        "domain for itself cannot be spread over several",
    ),
)
"""Rules that hold between the fields of `TrainingScheduling`."""


class TrainingScheduling(Placement):
    """Where the pods may run."""

    topology_spread: Annotated[
        list[TopologySpread], Field(max_length=8, json_schema_extra=map_list("topologyKey"))
    ] = Field(default_factory=list, description="How the pods are spread over domains.")
    exclusive_topology_key: LabelKey | None = Field(
        default=None,
        description="Label of nodes that names their domain: all pods run in one domain, and no "
        "pod of another TrainingJob with them.",
    )
