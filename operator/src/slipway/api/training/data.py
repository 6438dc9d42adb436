"""What a training run keeps while it goes on, and when it may end before its last step."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, DnsName, rules, text
from slipway.api.fields.claim import claim_and_path


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


class Checkpoint(
    ApiModel,
    json_schema_extra=rules(
        (
            "!(has(self.intervalSteps) && has(self.intervalSeconds))",
            "write either checkpoint.intervalSteps or checkpoint.intervalSeconds, not both",
        ),
        (
            "!has(self.credentialsSecretName) || has(self.uri)",
            "checkpoint.credentialsSecretName opens the place of checkpoint.uri: write that too, "
            "or leave both out to use the release's store",
        ),
        (
            "!has(self.credentialsSecretName) || !has(self.uri) || self.uri.startsWith('s3://')",
            "remove checkpoint.credentialsSecretName: a claim (pvc://) needs none",
        ),
        (
            "!has(self.uri) || !self.uri.matches('/[.]{1,2}(/|$)')",
            "write a checkpoint.uri without the folders '.' and '..'",
        ),
    ),
):
    """How checkpoints are kept, of a script that saves them with the helper library."""

    uri: (
        Annotated[
            str,
            text(
                "^(s3://[a-z0-9][a-z0-9.-]+|pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?)"
                "(/[A-Za-z0-9._=-]+)*$",
                "write the URI of a folder in a bucket, such as s3://bucket/checkpoints/net, or in "
                "a claim, such as pvc://claim/net",
                longest=512,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Folder where they lie, in a bucket or a PersistentVolumeClaim; the release's "
        "store by default. Jobs that name the same folder resume from each other.",
    )
    credentials_secret_name: DnsName | None = Field(
        default=None,
        description="Secret with the AWS_ variables that open the folder; the store's by default.",
    )
    interval_seconds: Annotated[int, Field(ge=1, le=604_800)] | None = Field(
        default=None,
        description="Time between two saves, in seconds; 600 where no interval is written.",
    )
    interval_steps: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None, description="Steps between two saves, instead of a time."
    )
    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many of this job's newest checkpoints are kept."""
    resume: bool = Field(
        default=True,
        description="Whether to begin from the newest checkpoint in the folder, whoever made it; "
        "a restarted job always goes on from its own.",
    )
    grace_period_seconds: Annotated[int, Field(ge=15, le=86_400)] = Field(
        default=120, description="How long a pod that must stop may save and store, in seconds."
    )
    store_timeout_seconds: Annotated[int, Field(ge=1, le=604_800)] = Field(
        default=900,
        description="How long the store may be away before the job fails for its checkpoints, in "
        "seconds.",
    )

    @property
    def claim(self) -> str | None:
        """The claim that they lie in; None where that is a bucket."""
        found = claim_and_path(self.uri or "")
        return found[0] if found else None


class TrainingData(ApiModel):
    """What the script keeps while it goes on, and when it may end."""

    checkpoint: Checkpoint | None = Field(
        default=None,
        description="Checkpoints of a script that saves them; none are kept where absent.",
    )

    stop: StopCriteria | None = Field(
        default=None, description="When the script's should_stop() says yes before the last step."
    )
