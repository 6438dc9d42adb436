"""What a ModelDeployment's planner looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.api.serving.deployment import ModelDeployment
from slipway.api.training.job import TrainingJob
from slipway.plan import Children, StoreState
from slipway.serving.analysis.traffic import Traffic
from slipway.serving.observed.deaths import Death


@dataclass(frozen=True)
class Turns:
    """How many other deployments get pods of a new release now, and how many wait before it."""

    under_way: int = 0
    ahead: int = 0


@dataclass(frozen=True)
class ServingSnapshot:
    """One frozen look at a ModelDeployment and its surroundings.

    ``children`` are the Deployment, ReplicaSets, Pods, Service, ConfigMaps, autoscaler and
    disruption budget with the deployment's label. ``training_job`` is the one that ``spec.model``
    names; None where it names none or there is none, or where it is there and this release cannot
    read it (``is_job_unread``). ``selected_jobs`` are those with a package that
    ``spec.model.trainingJobSelector`` selects, ``rejected_job`` the newest of those whose package
    missed a gate. ``traffic`` is what the pods of the two revisions of
    a rollout answered, while an analysis goes on and they were asked.
    ``pod_security`` is the Pod Security level that the namespace's label enforces, if any; it is
    read where there is a podTemplate. ``verification`` is what the namespace's label says of
    signatures (`slipway.settings.VERIFICATION`). ``turns`` are the other deployments that follow a
    release. ``deaths`` tells why a worker died last, by the UIDs of pods that serve no more or are
    tried.
    """

    deployment: ModelDeployment
    children: Children = field(default_factory=Children)
    training_job: TrainingJob | None = None
    is_job_unread: bool = False
    selected_jobs: tuple[TrainingJob, ...] = ()
    rejected_job: TrainingJob | None = None
    store: StoreState = field(default_factory=StoreState)
    traffic: Traffic | None = None
    pod_security: str | None = None
    verification: str | None = None
    turns: Turns = field(default_factory=Turns)
    deaths: Mapping[str, Death] = field(default_factory=dict)
