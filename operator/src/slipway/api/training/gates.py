"""What a package must be good enough for before it may be served."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from slipway.api.base import ApiModel, OwnName, map_list, rules, text
from slipway.api.fields.number import SuccessCondition

MAX_GATES = 16
"""Most gates of a package."""
MAX_GATE_MESSAGE = 512
"""Longest sentence on a gate, in characters."""
MAX_METRIC_NAME = 64
"""Longest name of a metric, in characters."""

Metric = Annotated[str, Field(min_length=1, max_length=MAX_METRIC_NAME)]
"""Name of a metric, as scripts report it."""
ServedRatio = Annotated[
    str, text("^[0-9]+([.][0-9]+)?$", "write a decimal number in quotes, such as 1.02", longest=16)
]
"""How many times a figure is another one, as decimal text."""


class Gate(ApiModel):
    """One figure of a package, and what it must be."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.successCondition) || has(self.maxRatioToServed) || "
                "has(self.minRatioToServed)",
                "write at least one of successCondition, maxRatioToServed and minRatioToServed",
            )
        )
    )

    metric: Metric = Field(
        description="Which figure: a metric that samples.evaluate returns or, if it does not, one "
        "of the training's last report, such as accuracy; sizeBytes, the archive's size; or with "
        "samples latencySeconds, the median time of an answer."
    )
    success_condition: SuccessCondition | None = Field(
        default=None, description="What the figure must be, such as result >= 0.9."
    )
    max_ratio_to_served: ServedRatio | None = Field(
        default=None,
        description="The figure may be at most this many times that of the archive which "
        'comparedWith serves, such as "1.02" for a loss. It holds where nothing is served yet.',
    )
    min_ratio_to_served: ServedRatio | None = Field(
        default=None,
        description="The figure must be at least this many times that of the archive which "
        'comparedWith serves, such as "0.98" for an accuracy. It holds where nothing is served '
        "yet.",
    )

    @property
    def ratios(self) -> dict[str, str]:
        """The ratios to what serves that there are, by their fields on the wire."""
        found = {
            "maxRatioToServed": self.max_ratio_to_served,
            "minRatioToServed": self.min_ratio_to_served,
        }
        return {field: ratio for field, ratio in found.items() if ratio is not None}


Gates = Annotated[list[Gate], Field(max_length=MAX_GATES, json_schema_extra=map_list("metric"))]


class ComparedWith(ApiModel):
    """The ModelDeployment whose served archive the ratios of gates are to."""

    name: OwnName
    """Name of a ModelDeployment in the same namespace."""


class GateStatus(ApiModel):
    """What a gate said of an archive."""

    metric: Metric
    """Which figure."""
    verdict: Literal["Successful", "Failed"]
    """Whether it is good enough."""
    value: Annotated[str, Field(max_length=32)] | None = None
    """The figure as decimal text; absent where there is none."""
    source: Literal["Report", "Evaluate", "Package"] | None = Field(
        default=None,
        description="Where the figure is from: the training's last report, samples.evaluate, or "
        "what was measured of the package itself.",
    )
    served_value: Annotated[str, Field(max_length=32)] | None = Field(
        default=None,
        description="The figure of the archive that was served then, as decimal text; absent "
        "where it was not compared, or is not known.",
    )
    message: Annotated[str, Field(max_length=MAX_GATE_MESSAGE)] = ""
    """The figure and what it was compared with, as a sentence."""
