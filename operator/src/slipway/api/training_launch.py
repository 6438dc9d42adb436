"""What a TrainingJob runs, and on what: the part of its spec that makes its pods."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel, FilePath, Image, rules
from slipway.api.common import EnvList, ResourceRequirements
from slipway.api.training_source import Source

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


class TrainingLaunch(ApiModel):
    """What to run, and where."""

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
