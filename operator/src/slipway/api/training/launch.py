"""What a TrainingJob runs, and on what: the part of its spec that makes its pods."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel, FilePath, Image, Quantity, rules, text
from slipway.api.common import EnvFromList, EnvList, ResourceRequirements, none_named
from slipway.api.fields.added import AddedContainer, TrainingVolumes
from slipway.api.fields.pod_template import PodTemplate
from slipway.api.training.source import (
    ArchiveSource,
    ConfigMapSource,
    GitSource,
    ImageSource,
    Source,
)

OWNED_ENV = (
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "NODE_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE",
    "TF_CONFIG",
    "JOB_COMPLETION_INDEX",
)
"""Variables that torchrun, the launcher or Kubernetes sets and a user must not."""
OWNED_PREFIXES = ("PET_", "MASTER_", "ROLE_", "TORCHELASTIC_", "SLIPWAY_")
"""Beginnings of more such variables' names."""

TrainingEnv = Annotated[
    EnvList,
    Field(
        json_schema_extra=rules(
            (
                none_named(OWNED_ENV, OWNED_PREFIXES),
                "remove the variables that torchrun and the operator set themselves: PET_*, "
                "TORCHELASTIC_*, SLIPWAY_*, MASTER_*, RANK, WORLD_SIZE, TF_CONFIG and the like",
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


ModuleName = Annotated[
    str,
    text(
        "^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$",
        "write a Python module's dotted name without .py, such as package.train",
        longest=255,
    ),
]

Argument = Annotated[str, Field(max_length=4096)]

LAUNCH_RULES = (
    (
        "[has(self.entrypoint), has(self.module), has(self.command)].filter(x, x).size() == 1",
        "write exactly one of entrypoint (a script under the source), module (for python -m) and "
        "command (anything else, without torchrun)",
    ),
    (
        "has(self.source) || has(self.command) || has(self.module)",
        "write source, where the entrypoint comes from; only module and command can do without",
    ),
)
"""Rules that hold between the fields of `TrainingLaunch`."""


class TrainingLaunch(ApiModel):
    """What to run, and where."""

    image: Image | None = Field(
        default=None,
        description="Image with Python 3.9 or later, and with torch where torchrun is used; the "
        "release's trainer image by default.",
    )
    framework: Literal["torchrun", "plain"] = Field(
        default="torchrun",
        description="torchrun starts the entrypoint or module in each process and lets them find "
        "each other; plain starts it once in each pod, with TF_CONFIG as TensorFlow reads it.",
    )
    source: Source | None = None
    """Where the script comes from; module and command may lie in the image instead."""
    entrypoint: FilePath | None = Field(
        default=None, description="The Python script that is run, under the source."
    )
    module: ModuleName | None = Field(
        default=None,
        description="The Python module that is run as by python -m, in the source or installed.",
    )
    command: Annotated[list[Argument], Field(min_length=1, max_length=128)] | None = Field(
        default=None,
        description="A command that is run once in each pod, in the working folder, instead of "
        "torchrun; torchrun's PET_* variables are set for it.",
    )
    args: Annotated[list[Argument], Field(max_length=128)] = Field(
        default_factory=list, description="Arguments of the script, module or command."
    )
    env: TrainingEnv = Field(default_factory=list, description="Variables of the script.")
    env_from: EnvFromList = Field(
        default_factory=list, description="ConfigMaps and Secrets with more variables."
    )
    nodes: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="How many pods train together."
    )
    processes_per_node: ProcessesPerNode = Field(
        default="auto", description="Processes in each pod; auto is one a GPU, or one without GPUs."
    )
    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements, description="Resources of each pod."
    )
    shared_memory: Quantity | None = Field(
        default=None,
        description="Size of /dev/shm, such as 8Gi; what is in it counts as the container's "
        "memory. The memory limit bounds it where absent.",
    )
    agent: AddedContainer = Field(
        default_factory=AddedContainer,
        description="The container that reports progress and stores what the script makes.",
    )
    fetch: AddedContainer = Field(
        default_factory=AddedContainer,
        description="Each container that brings the source or an input.",
    )
    volume_sizes: TrainingVolumes = Field(default_factory=TrainingVolumes)
    """How large the pods' volumes may grow; the release's sizes by default."""
    pod_template: PodTemplate | None = Field(
        default=None,
        description="What else the training pods should have: merged into them strategically.",
    )

    @property
    def source_config_map(self) -> ConfigMapSource | None:
        """The ConfigMap that the source is in; None where it is elsewhere."""
        return self.source.config_map if self.source else None

    @property
    def fetched_source(self) -> GitSource | ArchiveSource | None:
        """The source that an init container brings; None where it is mounted or in the image."""
        return (self.source.git or self.source.archive) if self.source else None

    @property
    def source_image(self) -> ImageSource | None:
        """The source's place in the image; None where it is elsewhere."""
        return self.source.image if self.source else None
