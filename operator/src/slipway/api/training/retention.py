"""How long what a finished TrainingJob stored is kept, and what of it has been removed."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, ModelVersion, Sha256
from slipway.api.trust.encryption import Encryption

KeptSeconds = Annotated[int, Field(ge=0, le=315_360_000)]
"""A time to keep something, in seconds: up to ten years."""
MAX_VERSIONS = 20
"""How many archives of a job its status knows."""


class Retention(ApiModel):
    """How long the output and the checkpoints are kept after the end; for good where absent."""

    output_seconds_after_finished: KeptSeconds | None = Field(
        default=None,
        description="How long the output is kept after the job's end, in seconds; for as long as "
        "the release says where absent. Without its output a job cannot be packaged again.",
    )
    checkpoints_seconds_after_finished: KeptSeconds | None = Field(
        default=None,
        description="How long the job's checkpoints in the release's store are kept after its end, "
        "in seconds; for as long as the release says where absent.",
    )


class TrainingRetention(ApiModel):
    """What the job keeps in the store after its end."""

    retention: Retention = Field(default_factory=Retention)
    """How long the output and the checkpoints are kept after the end."""


class PackageRetention(ApiModel):
    """Which archives of the job are kept."""

    versions: Annotated[int, Field(ge=1, le=MAX_VERSIONS)] | None = Field(
        default=None,
        description="How many of the job's newest archives are kept; all, or as many as the "
        "release says, where absent. One that a ModelDeployment serves or may go back to stays.",
    )


class EarlierPackage(ApiModel):
    """An archive of the job that is in the store beside the newest one."""

    number: Annotated[int, Field(ge=1)]
    """Which packaging made it."""
    uri: Annotated[str, Field(max_length=1024)]
    """Where it lies."""
    sha256: Sha256
    """Its digest."""
    model_version: ModelVersion | None = None
    """The model's version; absent in what release 0.2.0 wrote."""
    encryption: Encryption | None = None
    """How it was encrypted; absent where it is not, and in what release 0.2.0 wrote."""
    rejected: bool | None = None
    """Whether it missed one of package.gates."""
    removing: bool = False
    """Whether it is to be removed, or is being removed."""


class RetentionStatus(ApiModel):
    """What is removed from the store since its time is over."""

    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When it was decided last; a minute later the removal begins."""
    output: bool = False
    """Whether the output is among it."""
    checkpoints: bool = False
    """Whether the checkpoints are among it."""
    done: bool = False
    """Whether all of it is gone."""


class StoredStatus(ApiModel):
    """What of the job is in the store, beside its output and its newest archive."""

    earlier_packages: Annotated[list[EarlierPackage], Field(max_length=MAX_VERSIONS)] = Field(
        default_factory=list,
        description="Archives of the job that are in the store beside package, the newest first.",
    )
    retention: RetentionStatus | None = None
    """What is removed from the store since its time is over."""


RULES = (
    (
        "!has(self.retention) || !has(self.retention.checkpointsSecondsAfterFinished) || "
        "(has(self.checkpoint) && !has(self.checkpoint.uri))",
        "remove retention.checkpointsSecondsAfterFinished, or write checkpoint without a uri: only "
        "checkpoints in the job's own folder of the store are removed",
    ),
)
"""Rules over several fields of a TrainingJob's spec, as (CEL, message)."""
