"""The TrainingJob kind: what to run, where, and what comes out of it."""

from pydantic import Field

from slipway.api.base import API_VERSION, rules
from slipway.api.common import ObjectMeta, OwnerLike
from slipway.api.training_data import TrainingData
from slipway.api.training_inputs import TrainingInputs
from slipway.api.training_launch import LAUNCH_RULES, TrainingLaunch
from slipway.api.training_life import RULES as LIFE_RULES
from slipway.api.training_life import TrainingLife
from slipway.api.training_package import Package
from slipway.api.training_scheduling import SCHEDULING_RULES, TrainingScheduling
from slipway.api.training_status import TrainingJobStatus


class TrainingJobSpec(
    TrainingInputs,
    TrainingData,
    TrainingLife,
    TrainingScheduling,
    TrainingLaunch,
    json_schema_extra=rules(*LAUNCH_RULES, *SCHEDULING_RULES, *LIFE_RULES),
):
    """What is wanted of a training run."""

    package: Package | None = Field(
        default=None, description="The archive made on success; none is made where absent."
    )

    @property
    def most_nodes(self) -> int:
        """The most pods that the job may ever have at a time."""
        return self.elastic.max_nodes if self.elastic else self.nodes

    @property
    def fewest_nodes(self) -> int:
        """The fewest pods that can train."""
        return self.elastic.min_nodes if self.elastic else self.nodes


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
