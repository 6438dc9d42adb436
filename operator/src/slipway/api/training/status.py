"""What is observed of a TrainingJob."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, ModelName, ModelVersion, Sha256, map_list, rules
from slipway.api.common import ConditionList
from slipway.api.training.attempts import BackOff, FailureStatus, RunTime
from slipway.api.training.gates import MAX_GATES, MAX_METRIC_NAME, GateStatus
from slipway.api.training.inputs import InputName
from slipway.api.training.optimize import MAX_FORMS, OptimizationStatus
from slipway.api.training.package import PackageConfig
from slipway.api.training.retention import StoredStatus
from slipway.api.training.samples import MAX_SAMPLES
from slipway.api.trust.encryption import Encryption

StopReason = Literal["LossBelow", "Patience", "MaxEpochs", "WallTime"]

MAX_METRICS = 32
"""How many of a script's metrics the status shows."""

Decimal = Annotated[str, Field(max_length=32)]
"""A number as decimal text: the API has no floating point in what the operator writes."""

TrainingPhase = Literal[
    "Pending",
    "Queued",
    "Running",
    "Restarting",
    "Suspended",
    "Packaging",
    "Succeeded",
    "Failed",
]


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
    """Pods that failed in this attempt."""


class CheckpointProgress(ApiModel):
    """The newest checkpoint that a restart goes on from."""

    step: Annotated[int, Field(ge=0)]
    """Step after which it was saved."""
    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When all of it was in the store."""
    duration_seconds: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Time from the begin of its save to then, in seconds."
    )
    size_bytes: Annotated[int, Field(ge=0)] | None = None
    """Its size, in bytes."""


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
    eta_seconds: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Time left at the pace of the last minute of reports, in seconds."
    )
    steps_per_second: Decimal | None = None
    """Steps a second over the last minute of reports, as decimal text."""
    samples_per_second: Decimal | None = None
    """Samples a second of all processes, where the script reports samples, as decimal text."""
    metrics: Annotated[
        dict[str, Decimal],
        Field(
            max_length=MAX_METRICS,
            json_schema_extra=rules(
                (
                    f"self.all(name, size(name) <= {MAX_METRIC_NAME})",
                    f"a metric's name has at most {MAX_METRIC_NAME} characters",
                )
            ),
        ),
    ] = Field(
        default_factory=dict, description="Last values of the reported metrics, as decimal text."
    )
    dropped_metrics: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description=f"How many reported metrics are left out: those beyond {MAX_METRICS}, and "
        f"those with no name, one longer than {MAX_METRIC_NAME} characters or with some that "
        "cannot be printed, or no number.",
    )
    stop_reason: StopReason | None = Field(
        default=None, description="The criterion of spec.stop that holds."
    )
    checkpoint: CheckpointProgress | None = None
    """The newest checkpoint."""
    last_report_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None
    """When the script last reported."""


class SkippedFile(ApiModel):
    """Something of the output folder that is not in the store."""

    path: Annotated[str, Field(max_length=256)]
    """Path in the output folder."""
    why: Annotated[str, Field(max_length=256)]
    """Why it was left out."""


class SkippedFiles(ApiModel):
    """What of the output folder is not in the store."""

    count: Annotated[int, Field(ge=1)]
    """Number of all of them."""
    first: Annotated[list[SkippedFile], Field(max_length=10)] = Field(default_factory=list)
    """The first ones."""

    def __str__(self) -> str:
        such = f", such as {self.first[0].path} ({self.first[0].why})" if self.first else ""
        return f"Left out: {self.count}{such}."


class OutputStatus(ApiModel):
    """Where the script's output lies in the store."""

    uri: Annotated[str, Field(max_length=1024)]
    """Folder in the store."""
    files: int = 0
    """Number of files in the store's manifest."""
    size_bytes: int = 0
    """Size of all these files, in bytes."""
    skipped: SkippedFiles | None = None
    """What was left out, such as links that lead out of the folder; absent where nothing was."""

    @property
    def message(self) -> str:
        """Where the output is and what it lacks, in a sentence or two."""
        where = f"The output is at {self.uri}."
        return f"{where} {self.skipped}" if self.skipped else where


class InputStatus(ApiModel):
    """What an input was when it was brought; of another job's archive, what each pod is to get."""

    name: InputName
    """Name of the input."""
    sha256: Sha256
    """Its digest, as inputs[].sha256 has it, or that of the archive."""
    uri: Annotated[str, Field(max_length=1024)] | None = None
    """Where the archive of another job lies."""
    training_job: Annotated[str, Field(max_length=253)] | None = None
    """Name of the TrainingJob that made it."""
    training_job_uid: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, alias="trainingJobUID", description="UID of that TrainingJob."
    )
    model_version: ModelVersion | None = None
    """The version of its model."""
    encryption: Encryption | None = None
    """How it was encrypted; absent where it is not."""


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
    generation: int | None = None
    """Generation of the spec whose package it is; absent in what release 0.2.0 wrote."""
    config: PackageConfig | None = None
    """What the archive's model-config.yaml says of the server."""
    number: Annotated[int, Field(ge=1)] | None = None
    """Which packaging made it; absent in what release 0.2.0 wrote."""
    encryption: Encryption | None = None
    """How the archive was encrypted; absent where it is not."""
    signature_uri: Annotated[str, Field(max_length=1024)] | None = None
    """Where the archive's signature lies, a Sigstore bundle; absent where there is none."""
    provenance_uri: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="Where its provenance lies, an in-toto statement; in a Sigstore bundle if the "
        "archive is signed.",
    )
    bom_uri: Annotated[str, Field(max_length=1024)] | None = None
    """Where its bill of materials lies, in CycloneDX's format."""
    samples: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] | None = Field(
        default=None,
        description="How many rows each of its pods answers before it is ready; absent for none.",
    )
    optimization: (
        Annotated[
            list[OptimizationStatus],
            Field(max_length=MAX_FORMS, json_schema_extra=map_list("candidate")),
        ]
        | None
    ) = Field(default=None, description="What package.optimize measured, where it is written.")
    gates: (
        Annotated[
            list[GateStatus], Field(max_length=MAX_GATES, json_schema_extra=map_list("metric"))
        ]
        | None
    ) = Field(default=None, description="What package.gates said of it, where there are some.")

    @property
    def missed(self) -> list[GateStatus]:
        """The gates that it missed; an archive with one of them is served by nobody."""
        return [gate for gate in self.gates or () if gate.verdict == "Failed"]


class PackagingStatus(ApiModel):
    """The packaging that was asked for last."""

    number: Annotated[int, Field(ge=1)]
    """How often the output was packaged: 1, and one more for each change of spec.package."""
    digest: Annotated[str, Field(max_length=64)]
    """Stands for the spec.package that is packaged."""
    generation: int = 0
    """Generation of the spec whose package it is."""
    after_end: bool | None = None
    """Whether the job had ended before this packaging was asked for."""


class TrainingJobStatus(StoredStatus):
    """What was observed of a training run."""

    observed_generation: int = 0
    """Generation of the spec that this status was derived from."""
    phase: TrainingPhase = "Pending"
    """Summary of the conditions."""
    reason: Annotated[str, Field(max_length=64)] | None = None
    """Why the job is in this phase: the reason of the condition that says so."""
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
    source_revision: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="The commit that a git source was, or the SHA-256 of an archive source.",
    )
    image_digest: Annotated[str, Field(max_length=71)] | None = Field(
        default=None,
        description="The registry's digest of the image that trained, by the kubelet's word.",
    )
    inputs: (
        Annotated[list[InputStatus], Field(max_length=16, json_schema_extra=map_list("name"))]
        | None
    ) = Field(
        default=None,
        description="Inputs whose digest is known, and the archives of other jobs that are inputs.",
    )
    output: OutputStatus | None = None
    """The stored output."""
    package: PackageStatus | None = None
    """The archive that was stored last, and was not rejected."""
    rejected_package: PackageStatus | None = Field(
        default=None,
        description="The archive that was stored last, where it missed one of package.gates; no "
        "ModelDeployment serves it.",
    )
    packaging: PackagingStatus | None = None
    """The packaging that was asked for last; package is its archive once the job has succeeded."""
    attempt: Annotated[int, Field(ge=0)] = 0
    """Which start of the group this is: 0, and one more for each restart."""
    restarts: Annotated[int, Field(ge=0)] = 0
    """Restarts that count against restart.maxRestarts."""
    run_time: RunTime = Field(default_factory=RunTime)
    """The clock of the running time."""
    back_off: BackOff = Field(default_factory=BackOff)
    """How the next start of the group is put off."""
    failure: FailureStatus | None = None
    """The last failure, be it followed by a restart or the end."""
    selector: Annotated[str, Field(max_length=255)] | None = None
    """Label selector of an elastic job's pods, for the scale subresource."""
