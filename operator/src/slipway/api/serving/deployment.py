"""The ModelDeployment kind: which model, how it is served and how a new revision takes over."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import API_VERSION, ApiModel, IntOrPercent, Quantity, rules, text
from slipway.api.common import (
    ConditionList,
    ObjectMeta,
    OwnerLike,
)
from slipway.api.fields.network import Peer
from slipway.api.fields.placement import Placement
from slipway.api.fields.pod_template import ServerPodTemplate
from slipway.api.serving.model import WRITE_ADDRESS, Model
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.rollout import Rollout
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.api.serving.server import Server, ServerStatus


class Autoscaling(
    ApiModel,
    json_schema_extra=rules(
        (
            "self.minReplicas <= self.maxReplicas",
            "write a maxReplicas that is not below minReplicas",
        )
    ),
):
    """Replicas that follow the load."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fewest pods."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods."""
    target_cpu_utilization_percentage: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=80,
        alias="targetCPUUtilizationPercentage",
        description="Use of the requested CPU that is aimed at, in percent.",
    )


class ServiceExposure(ApiModel):
    """The Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Type of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port of the Service."""


Origin = Annotated[
    str,
    text(
        "^([*]|https?://[A-Za-z0-9.-]+(:[0-9]+)?)$",
        "write an origin as browsers send it, such as https://app.example.com, or * for any",
        longest=255,
    ),
]

HeaderName = Annotated[
    str,
    text(
        "^[A-Za-z0-9-]+$",
        "write the name of a header: letters, digits and '-'",
        longest=128,
    ),
]


class CrossOrigin(
    ApiModel,
    json_schema_extra=rules(
        (
            "!self.allowCredentials || !self.allowOrigins.exists(x, x == '*')",
            "write the origins that may send credentials instead of *, as browsers demand",
        )
    ),
):
    """Which web pages of other origins may ask for predictions (CORS)."""

    allow_origins: Annotated[list[Origin], Field(min_length=1, max_length=32)]
    """Origins of the pages, such as https://app.example.com; * for any."""
    allow_headers: Annotated[list[HeaderName], Field(max_length=32)] = Field(
        default_factory=lambda: ["content-type"], description="Headers that they may send."
    )
    allow_credentials: bool = False
    """Whether browsers send cookies and credentials along."""
    max_age_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=600, description="How long a browser may remember that it may ask, in seconds."
    )


class Expose(ApiModel):
    """How the model is reached."""

    cors: CrossOrigin | None = None
    """Which web pages of other origins may ask; none by default."""
    service: ServiceExposure = Field(default_factory=ServiceExposure)
    """The Service in front of the pods."""
    allowed_from: Annotated[list[Peer], Field(min_length=1, max_length=16)] | None = Field(
        default=None,
        description="Who may ask the model, as in a NetworkPolicy's from; everybody where absent. "
        "Works where the cluster's network enforces policies.",
    )


class DisruptionBudget(ApiModel):
    """What voluntary disruptions may take away at a time."""

    max_unavailable: IntOrPercent = 1
    """Pods that may be away, as a count or a percentage."""


class ModelDeploymentSpec(
    Placement,
    json_schema_extra=rules(
        (
            "!has(self.server.startupTimeoutSeconds) || "
            "self.rollout.progressDeadlineSeconds > self.server.startupTimeoutSeconds",
            "write a rollout.progressDeadlineSeconds above server.startupTimeoutSeconds, or a "
            "model that loads slowly counts as a failed rollout",
        ),
        (
            "self.server.runtime == 'Container' || !has(self.model.uri) || "
            "self.model.uri.matches('^[^?]*[.]mar([?]|$)')",
            WRITE_ADDRESS,
        ),
        (
            "!has(self.rollout.smoke) || !has(self.server.container) || "
            "!has(self.server.container.readiness) || "
            "!has(self.server.container.readiness.grpc)",
            "remove rollout.smoke, whose request is JSON by HTTP: the server speaks gRPC",
        ),
    ),
):
    """What is wanted of a served model."""

    model: Model
    """Which archive is served."""
    server: Server = Field(default_factory=Server)
    """How each pod serves it."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1, description="Pods that serve; has no effect while autoscaling is set."
    )
    autoscaling: Autoscaling | None = None
    """Replicas that follow the load."""
    rollout: Rollout = Field(default_factory=Rollout)
    """How a new revision takes over."""
    expose: Expose = Field(default_factory=Expose)
    """How the model is reached."""
    shared_memory: Quantity | None = Field(
        default=None,
        description="Size of /dev/shm, such as 8Gi; what is in it counts as the container's "
        "memory. The memory limit bounds it where absent.",
    )
    pod_template: ServerPodTemplate | None = Field(
        default=None,
        description="What else the serving pods should have: merged into them strategically.",
    )
    pod_disruption_budget: DisruptionBudget = Field(default_factory=DisruptionBudget)
    """What voluntary disruptions may take away."""


class ModelDeploymentStatus(ApiModel):
    """What was observed of a served model."""

    observed_generation: int = 0
    """Generation of the spec that this status was derived from."""
    conditions: ConditionList = Field(default_factory=list)
    """What holds of the deployment, and why."""
    revision: Annotated[str, Field(max_length=63)] | None = None
    """The revision that the Service leads to; one that is tried beside is in rollout.candidate."""
    model: ModelStatus | None = None
    """The archive of that revision."""
    resolved_model: ModelStatus | None = Field(
        default=None,
        description="The archive that the spec asks for, as it was last resolved; its revision may "
        "be a candidate yet, or have been rolled back.",
    )
    server: ServerStatus | None = None
    """The settings in force for what the spec asks for: its own, the package's, or the defaults."""
    url: Annotated[str, Field(max_length=1024)] | None = None
    """Where predictions are asked for inside the cluster."""
    replicas: int = 0
    """Pods in the Deployment that serves; those of a candidate beside it are not counted."""
    updated_replicas: int = 0
    """Pods of the newest revision."""
    ready_replicas: int = 0
    """Pods that take traffic."""
    rollout: RolloutStatus | None = None
    """Where the rollout stands."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """Label selector of the pods, for autoscalers."""


class ModelDeployment(OwnerLike):
    """A model that pods serve behind one Service."""

    api_version: str = API_VERSION
    kind: str = "ModelDeployment"
    metadata: ObjectMeta
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = Field(default_factory=ModelDeploymentStatus)
