"""The TrainingJob kind: what to run, where, and what comes out of it."""

from pydantic import Field

from slipway.api.base import API_VERSION, rules
from slipway.api.common import ObjectMeta, OwnerLike
from slipway.api.training_data import TrainingData
from slipway.api.training_launch import LAUNCH_RULES, TrainingLaunch
from slipway.api.training_life import TrainingLife
from slipway.api.training_package import Package
from slipway.api.training_scheduling import SCHEDULING_RULES, TrainingScheduling
from slipway.api.training_status import TrainingJobStatus

MUTABLE = frozenset(
    {"suspend", "active_deadline_seconds", "ttl_seconds_after_finished", "backoff_limit"}
)
"""Spec fields that may change after creation; all others are what the job *is*."""


class TrainingJobSpec(
    TrainingData,
    TrainingLife,
    TrainingScheduling,
    TrainingLaunch,
    json_schema_extra=rules(*LAUNCH_RULES, *SCHEDULING_RULES),
):
    """What is wanted of a training run."""

    package: Package | None = Field(
        default=None, description="The archive made on success; none is made where absent."
    )


class TrainingJob(OwnerLike):
    """A training run and the model archive that comes out of it."""

    api_version: str = API_VERSION
    kind: str = "TrainingJob"
    metadata: ObjectMeta
    spec: TrainingJobSpec
    status: TrainingJobStatus = Field(default_factory=TrainingJobStatus)

    @property
    def model_name(self) -> str:
        """The packaged model's name: the package's own, or the job's."""
        package = self.spec.package
        return (package.model_name if package else None) or self.metadata.name
