"""What a ModelDeployment says of its server, and what its status tells of it."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, Image, rules
from slipway.api.common import EnvFromList, EnvList, ResourceRequirements, none_named
from slipway.api.fields.added import AddedContainer, ServingVolumes
from slipway.api.serving.container import ServerContainer, container_rules

DEFAULT_BODY_BYTES = 6_553_500
"""Longest body where nobody says otherwise, in bytes: TorchServe's own max_request_size."""

MAX_BODY_BYTES = 100 << 20
"""Longest body that may be allowed, in bytes: TorchServe has each one in memory as a whole."""

OWNED_SERVER_ENV = ("TS_CONFIG_FILE", "TEMP", "LOG_LOCATION", "METRICS_LOCATION")
"""Variables by which TorchServe is told where its files are; a user must not set them."""

RuntimeName = Literal["TorchServe", "Python", "Container"]

ServerEnv = Annotated[
    EnvList,
    Field(
        json_schema_extra=rules(
            (
                none_named(OWNED_SERVER_ENV, ("SLIPWAY_",)),
                "remove the variables that the operator sets itself: SLIPWAY_*, "
                + ", ".join(OWNED_SERVER_ENV),
            )
        )
    ),
]


class Server(
    ApiModel,
    json_schema_extra=rules(
        *container_rules({"workers": 1, "maxResponseBytes": DEFAULT_BODY_BYTES})
    ),
):
    """How the model is run in each pod."""

    runtime: RuntimeName = Field(
        default="TorchServe",
        description=(
            "What serves the archive: TorchServe, or Slipway's own server without Java (Python), "
            "which takes the same archives and handlers and gives the same answers; or a server of "
            "your own, which server.container describes (Container)."
        ),
    )
    container: ServerContainer | None = Field(
        default=None,
        description="A server of your own; with runtime Container, and only there.",
    )
    image: Image | None = Field(
        default=None,
        description=(
            "The server's image; the release's own by default. It stands on that of the runtime. "
            "Where it is set, an upgrade of the "
            "operator changes no pod until the spec is changed."
        ),
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Worker processes in each pod; all must be up before traffic comes."
    )
    resources: ResourceRequirements = Field(default_factory=ResourceRequirements)
    """Resources of the server in each pod."""
    fetch: AddedContainer = Field(
        default_factory=AddedContainer,
        description="The container that brings the archive.",
    )
    proxy: AddedContainer = Field(
        default_factory=AddedContainer,
        description="Envoy, through which all requests come.",
    )
    volume_sizes: ServingVolumes = Field(default_factory=ServingVolumes)
    """How large the pods' volumes may grow; the release's sizes by default."""
    env: ServerEnv = Field(default_factory=list)
    """Variables of the workers."""
    env_from: EnvFromList = Field(
        default_factory=list, description="ConfigMaps and Secrets with more variables."
    )
    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Requests answered together; the package's own by default."
    )
    max_batch_delay_milliseconds: Annotated[int, Field(ge=0, le=3_600_000)] | None = None
    """Longest wait for a batch to fill, in milliseconds; the package's own by default."""
    response_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None,
        description="Longest time for one answer, in seconds; the package's own, or 120.",
    )
    startup_timeout_seconds: Annotated[int, Field(ge=10, le=86_400)] | None = Field(
        default=None,
        description="Longest time until all workers have loaded the model, in seconds; the "
        "package's own by default, or 600.",
    )
    max_request_bytes: Annotated[int, Field(ge=1024, le=MAX_BODY_BYTES)] = Field(
        default=DEFAULT_BODY_BYTES,
        description="Longest request body, in bytes; a longer one is answered with 413.",
    )
    max_response_bytes: Annotated[int, Field(ge=1024, le=MAX_BODY_BYTES)] = Field(
        default=DEFAULT_BODY_BYTES,
        description="Longest answer, in bytes; a longer one is replaced by an error (500).",
    )
    drain_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=30,
        description="Longest wait, before a pod stops, for requests in flight and until no client "
        "connects to it any more. One that never ceases to makes each stop take as long.",
    )


class ServerStatus(ApiModel):
    """The settings in force; those that only an archive at a URI says are not known here."""

    workers: int = 1
    """Worker processes in each pod."""
    batch_size: int | None = None
    """Requests answered together."""
    max_batch_delay_milliseconds: int | None = None
    """Longest wait for a batch to fill."""
    response_timeout_seconds: int | None = None
    """Longest time for one answer."""
    startup_timeout_seconds: int | None = None
    """Longest time until all workers have loaded the model."""
