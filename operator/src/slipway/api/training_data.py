"""What a training run keeps while it goes on, and when it may end before its last step."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, rules


class StopCriteria(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.lossBelow) || has(self.patience) || has(self.maxEpochs) "
            "|| has(self.wallTimeSeconds)",
            "write at least one of stop.lossBelow, stop.patience, stop.maxEpochs and "
            "stop.wallTimeSeconds, or leave stop out",
        ),
        (
            "has(self.patience) || (self.metric == 'loss' && self.mode == 'Min' "
            "&& !has(self.minDelta))",
            "stop.metric, stop.mode and stop.minDelta belong to stop.patience: write it too",
        ),
    ),
):
    """When the script's should_stop() says yes: as soon as one of its criteria holds."""

    loss_below: float | None = Field(
        default=None, description="Stop when the reported metric loss is below this."
    )
    patience: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="Stop when the metric has not improved for so many epochs; of a script that "
        "reports no epochs, for so many reports.",
    )
    metric: Annotated[str, Field(min_length=1, max_length=64)] = "loss"
    """The reported metric that patience watches."""
    mode: Literal["Min", "Max"] = "Min"
    """Whether less or more of the metric is better."""
    min_delta: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="A smaller change of the metric is no improvement."
    )
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="Stop when the script reports so many epochs."
    )
    wall_time_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = Field(
        default=None,
        description="Stop after so much running time, in seconds; with checkpoints, time before "
        "an interruption counts too.",
    )


class TrainingData(ApiModel):
    """What the script may be told beside its arguments."""

    stop: StopCriteria | None = Field(
        default=None, description="When the script's should_stop() says yes before the last step."
    )
