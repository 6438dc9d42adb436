"""The TrainingJob kind: what to run, where, and what comes out of it."""

from pydantic import Field

from slipway.api.base import API_VERSION, rules
from slipway.api.common import ObjectMeta, OwnerLike
from slipway.api.training.data import TrainingData
from slipway.api.training.inputs import Input, TrainingInputs
from slipway.api.training.launch import LAUNCH_RULES, TrainingLaunch
from slipway.api.training.life import RULES as LIFE_RULES
from slipway.api.training.life import TrainingLife
from slipway.api.training.package import Package, PackageConfig
from slipway.api.training.retention import RULES as RETENTION_RULES
from slipway.api.training.retention import TrainingRetention
from slipway.api.training.scheduling import SCHEDULING_RULES, TrainingScheduling
from slipway.api.training.status import InputStatus, TrainingJobStatus


class TrainingJobSpec(
    TrainingInputs,
    TrainingData,
    TrainingLife,
    TrainingScheduling,
    TrainingLaunch,
    TrainingRetention,
    json_schema_extra=rules(*LAUNCH_RULES, *SCHEDULING_RULES, *LIFE_RULES, *RETENTION_RULES),
):
    """What is wanted of a training run."""

    package: Package | None = Field(
        default=None,
        description="The archive made on success; none is made where absent. It may change "
        "or be added at any time: a change after the training packages the stored output again, "
        "under a new version and without a new training.",
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

    def pinned(self, one: Input) -> InputStatus | None:
        """Return the archive of another job that an input is; None before it is chosen."""
        known = self.status.inputs or ()
        wanted = one.training_job is not None
        return next((each for each in known if wanted and each.name == one.name and each.uri), None)

    def package_version(self, number: int) -> str:
        """Return the version of the archive that is made as the given number, from 1 on."""
        package = self.spec.package
        return (package.model_version if package else None) or f"1.{number - 1}"

    @property
    def packaged_config(self) -> PackageConfig:
        """What the stored archive says of the server; the spec may not say it any more."""
        made, package = self.status.package, self.spec.package
        if made is not None and made.generation is not None:
            return made.config or PackageConfig()
        return (package.server_config if package else None) or PackageConfig()

    @property
    def model_name(self) -> str:
        """The packaged model's name: the package's own, or the job's."""
        package = self.spec.package
        return (package.model_name if package else None) or self.metadata.name
