"""An archive that was found for a ModelDeployment, as statuses and the records of revisions say."""

from typing import Annotated

from pydantic import Field

from slipway.api.base import ApiModel, ModelName, Sha256
from slipway.api.training.package import PackageConfig
from slipway.api.trust.encryption import Encryption
from slipway.uris import shown

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

MAX_ARCHIVE_URI = 4096
"""Longest address of an archive, in characters: presigned ones have tokens of some 2,000."""


class ModelStatus(ApiModel):
    """An archive, as it was resolved."""

    name: ModelName
    """The model's name in URLs."""
    uri: Annotated[str, Field(max_length=MAX_ARCHIVE_URI)]
    """Where the archive lies."""
    sha256: Sha256
    """The archive's digest."""
    training_job: Annotated[str, Field(max_length=253)] | None = None
    """Name of the TrainingJob that made it."""
    training_job_uid: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, alias="trainingJobUID"
    )
    """UID of that TrainingJob."""
    packaged_at: Time | None = None
    """When that TrainingJob was complete; a selector never goes back to an older one."""
    config: PackageConfig | None = None
    """The archive's own configuration, as that TrainingJob has it."""
    encryption: Encryption | None = None
    """How the archive was encrypted; absent where it is not."""
    signature_uri: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="Where the TrainingJob's signature of it lies; absent where it made none.",
    )

    @property
    def told(self) -> "ModelStatus":
        """The same, with its address as messages show it: a query may have a signature in it."""
        return self.model_copy(update={"uri": shown(self.uri)})
