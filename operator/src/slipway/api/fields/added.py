"""What a user may say of the containers and volumes that the operator adds to their pods."""

from pydantic import Field

from slipway.api.base import ApiModel, Quantity
from slipway.api.common import ResourceRequirements


class AddedContainer(ApiModel):
    """A container that the operator adds."""

    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements,
        description="Its resources; those that are not named are the release's.",
    )


class TrainingVolumes(ApiModel):
    """How large the volumes of each training pod may grow before its kubelet ends it."""

    output: Quantity | None = None
    """What the script leaves as its output, such as 50Gi."""
    inputs: Quantity | None = None
    """Each input that is fetched."""
    source: Quantity | None = None
    """The source, where it is fetched."""
    checkpoint: Quantity | None = None
    """Each of the folders for saved and for restored checkpoints."""
    scratch: Quantity | None = None
    """Each container's /tmp."""


class ServingVolumes(ApiModel):
    """How large the volumes of each serving pod may grow before its kubelet ends it."""

    model: Quantity | None = None
    """The archive, such as 50Gi."""
    logs: Quantity | None = None
    """The server's logs."""
    scratch: Quantity | None = None
    """Each container's /tmp, where TorchServe unpacks the archive."""
