"""The TrainingJob kind: what to run, where, and what comes out of it."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from slipway.api.base import (
    API_VERSION,
    ApiModel,
    DnsName,
    FilePath,
    Image,
    ModelName,
    ModelVersion,
    Sha256,
    rules,
    text,
)
from slipway.api.common import ConditionList, EnvList, ObjectMeta, OwnerLike, ResourceRequirements

TrainingPhase = Literal["Pending", "Running", "Suspended", "Packaging", "Succeeded", "Failed"]

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class ConfigMapSource(ApiModel):
    """Source files that are the keys of a ConfigMap in the job's namespace."""

    name: DnsName
    """Name of the ConfigMap; each key is a file."""


class ImageSource(ApiModel):
    """Source files that lie in the image."""

    path: Annotated[
        str,
        text(
            "^/[A-Za-z0-9._/-]*$", "write an absolute path in the image, such as /app", longest=255
        ),
    ] = Field(description="Absolute path of the folder with the entrypoint.")


class Source(
    ApiModel,
    json_schema_extra=rules(
        (
            "has(self.configMap) != has(self.image)",
            "write exactly one of source.configMap (files in a ConfigMap) and source.image "
            "(files in the image)",
        )
    ),
):
    """Where the training script comes from: exactly one of its fields."""

    config_map: ConfigMapSource | None = None
    """Files in a ConfigMap."""
    image: ImageSource | None = None
    """Files in the image."""


class PackageConfig(ApiModel):
    """The model's own model-config.yaml, which TorchServe reads from inside the archive."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Requests answered together."""
    max_batch_delay: Annotated[int, Field(ge=0, le=3_600_000)] | None = Field(
        default=None, description="Longest wait for a batch to fill, in milliseconds."
    )
    response_timeout: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Longest time for one answer, in seconds."
    )
    startup_timeout: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Longest time for a worker to load the model, in seconds."
    )
    device_type: Literal["cpu", "gpu"] | None = None
    """Where the workers compute."""
    job_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests that may wait for a worker."""
    handler: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = Field(default=None, description="Free settings that the handler reads.")


class Package(ApiModel):
    """What the .mar archive is made of; files are looked up in the output, then in the source."""

    model_name: ModelName | None = Field(
        default=None, description="Name in TorchServe's URLs; the TrainingJob's name by default."
    )
    model_version: ModelVersion = "1.0"
    """Version in TorchServe's URLs."""
    serialized_file: FilePath = Field(description="The trained weights, such as model.pt.")
    model_file: FilePath | None = Field(
        default=None, description="The Python file with the model's class, for a state_dict."
    )
    handler: FilePath = Field(
        description="The handler's Python file, or a handler built into TorchServe by its name."
    )
    extra_files: Annotated[list[FilePath], Field(max_length=64)] = Field(default_factory=list)
    """More files that the handler needs, by their paths."""
    requirements_file: FilePath | None = Field(
        default=None, description="A pip requirements file installed when the model is loaded."
    )
    config: PackageConfig | None = None
    """The model's own model-config.yaml, put into the archive."""


OWNED_ENV = (
    "MASTER_ADDR",
    "MASTER_PORT",
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "ROLE_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE",
    "ROLE_WORLD_SIZE",
    "JOB_COMPLETION_INDEX",
)
"""Variables that torchrun or Kubernetes sets and a user must not."""

_NAMES = ", ".join(f"'{name}'" for name in OWNED_ENV)

TrainingEnv = Annotated[
    EnvList,
    Field(
        json_schema_extra=rules(
            (
                f"self.all(e, !(e.name in [{_NAMES}]) && !e.name.startsWith('PET_') "
                "&& !e.name.startsWith('TORCHELASTIC_') && !e.name.startsWith('SLIPWAY_'))",
                "remove the variables that torchrun and the operator set themselves: PET_*, "
                "TORCHELASTIC_*, SLIPWAY_*, MASTER_*, RANK, WORLD_SIZE and the like",
            )
        )
    ),
]

ProcessesPerNode = Annotated[
    int | Literal["auto"],
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 4,
            **rules(
                (
                    "type(self) == int ? (self >= 1 && self <= 64) : self == 'auto'",
                    "write a number from 1 to 64, or auto for one process a GPU",
                )
            ),
        }
    ),
]

MUTABLE = frozenset(
    {"suspend", "active_deadline_seconds", "ttl_seconds_after_finished", "backoff_limit"}
)
"""Spec fields that may change after creation; all others are what the job *is*."""


class TrainingJobSpec(ApiModel):
    """What is wanted of a training run."""

    image: Image | None = Field(
        default=None, description="Image with torch; the release's trainer image by default."
    )
    source: Source
    """Where the script comes from."""
    entrypoint: FilePath = Field(description="The script that torchrun starts, under the source.")
    args: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=128)] = Field(
        default_factory=list, description="Arguments of the script."
    )
    env: TrainingEnv = Field(default_factory=list, description="Variables of the script.")
    nodes: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="How many pods train together."
    )
    processes_per_node: ProcessesPerNode = Field(
        default="auto", description="Processes in each pod; auto is one a GPU, or one without GPUs."
    )
    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements, description="Resources of each pod."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="How often the whole group is tried again after a failure."
    )
    active_deadline_seconds: Seconds | None = Field(
        default=None, description="Longest running time of the training, in seconds."
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="When a finished job is deleted, in seconds after its end."
    )
    suspend: bool = Field(default=False, description="Whether no pods may run at present.")
    package: Package | None = Field(
        default=None, description="The archive made on success; none is made where absent."
    )


class Nodes(ApiModel):
    """Counts of the job's pods."""

    desired: int = 0
    """Pods that the job runs."""
    active: int = 0
    """Pods that exist and have not ended."""
    ready: int = 0
    """Pods whose containers are ready."""
    succeeded: int = 0
    """Pods that ended well."""
    failed: int = 0
    """Pods that failed, over all tries."""


class Progress(ApiModel):
    """What the script last reported."""

    step: Annotated[int, Field(ge=0)] = 0
    """Last step reported."""
    total_steps: Annotated[int, Field(ge=0)] | None = None
    """Steps in all, where the script says so."""
    epoch: Annotated[int, Field(ge=0)] | None = None
    """Last epoch reported."""
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Share of the steps done."""
    metrics: Annotated[dict[str, Annotated[str, Field(max_length=32)]], Field(max_length=32)] = (
        Field(
            default_factory=dict,
            description="Last values of the reported metrics, as decimal text.",
        )
    )
    last_report_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the script last reported."""


class OutputStatus(ApiModel):
    """Where the script's output lies in the store."""

    uri: Annotated[str, Field(max_length=1024)]
    """Folder in the store."""
    files: int = 0
    """Number of files."""
    size_bytes: int = 0
    """Size of all files, in bytes."""


class PackageStatus(ApiModel):
    """The archive that was made."""

    uri: Annotated[str, Field(max_length=1024)]
    """Where the archive lies."""
    sha256: Sha256
    """The archive's digest."""
    size_bytes: int
    """The archive's size, in bytes."""
    model_name: ModelName
    """The model's name."""
    model_version: ModelVersion
    """The model's version."""
    lineage_uri: Annotated[str, Field(max_length=1024)] = ""
    """Where the record of the archive's origin lies."""


class TrainingJobStatus(ApiModel):
    """What was observed of a training run."""

    observed_generation: int = 0
    """Generation of the spec that this status was derived from."""
    phase: TrainingPhase = "Pending"
    """Summary of the conditions."""
    conditions: ConditionList = Field(default_factory=list)
    """What holds of the job, and why."""
    start_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the training was first started."""
    completion_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the job succeeded or failed."""
    nodes: Nodes = Field(default_factory=Nodes)
    """Counts of the job's pods."""
    progress: Progress | None = None
    """What the script last reported."""
    output: OutputStatus | None = None
    """The stored output."""
    package: PackageStatus | None = None
    """The stored archive."""


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
