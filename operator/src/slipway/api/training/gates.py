"""What a package must be good enough for before it may be served."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, map_list
from slipway.api.fields.number import SuccessCondition

MAX_GATES = 16
"""Most gates of a package."""
MAX_GATE_MESSAGE = 512
"""Longest sentence on a gate, in characters."""
MAX_METRIC_NAME = 64
"""Longest name of a metric, in characters."""

Metric = Annotated[str, Field(min_length=1, max_length=MAX_METRIC_NAME)]
"""Name of a metric, as scripts report it."""


class Gate(ApiModel):
    """One figure of a package, and what it must be."""

    metric: Metric = Field(
        description="Which figure: a metric of the training's last report, such as accuracy, or "
        "sizeBytes, the archive's size."
    )
    success_condition: SuccessCondition = Field(
        description="What the figure must be, such as result >= 0.9."
    )


Gates = Annotated[list[Gate], Field(max_length=MAX_GATES, json_schema_extra=map_list("metric"))]


class GateStatus(ApiModel):
    """What a gate said of an archive."""

    metric: Metric
    """Which figure."""
    verdict: Literal["Successful", "Failed"]
    """Whether it is good enough."""
    value: Annotated[str, Field(max_length=32)] | None = None
    """The figure as decimal text; absent where there is none."""
    message: Annotated[str, Field(max_length=MAX_GATE_MESSAGE)] = ""
    """The figure and what it was compared with, as a sentence."""
