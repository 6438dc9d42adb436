"""How a TrainingJob waits, goes on, is tried again and ends: what its spec says of its life."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.api.base import ApiModel, OneOf, rules, text
from slipway.gangs import GANGS, NO_GANG

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]

RestartPolicy = Literal["Group", "Pod", "Never"]
RestartAction = Literal["Restart", "RestartAndIgnoreMaxRestarts", "Fail"]
GangScheduler = Annotated[str, OneOf((NO_GANG, *GANGS))]
CleanPodPolicy = Literal["None", "Running", "All"]

MANAGER_NAME = "slipway.dev/operator"
"""The value of ``spec.managedBy`` that means this operator, as its absence does."""

RestartReason = Literal[
    "ScriptFailed",
    "OutOfMemory",
    "RendezvousFailed",
    "LauncherFailed",
    "TorchNotFound",
    "EntrypointNotFound",
    "OutputUploadFailed",
    "CheckpointFailed",
    "ProgressDeadlineExceeded",
    "JobFailed",
]


class ExitCodes(ApiModel):
    """A set of exit codes, as a Job's podFailurePolicy writes it."""

    operator: Literal["In", "NotIn"] = "In"
    """Whether the values are the set, or all but them."""
    values: Annotated[
        list[Annotated[int, Field(ge=1, le=255)]],
        Field(min_length=1, max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ]
    """Exit codes; a program that signal N ended has 128 + N."""


class RestartRule(
    ApiModel,
    json_schema_extra=rules(
        (
            "[has(self.onExitCodes), has(self.onReasons), has(self.onDisruption)]"
            ".filter(x, x).size() == 1",
            "write exactly one of onExitCodes, onReasons and onDisruption in each rule",
        )
    ),
):
    """What is done after failures of one sort; the first rule that matches decides."""

    on_exit_codes: ExitCodes | None = None
    """Exit codes of the container that failed first."""
    on_reasons: (
        Annotated[
            list[RestartReason],
            Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = None
    """Reasons, as the condition Failed would have them."""
    on_disruption: Literal[True] | None = Field(
        default=None,
        description="The loss of a pod that is not the program's fault: an eviction, a drained or "
        "lost node, a pod that somebody deleted.",
    )
    action: RestartAction
    """Restart (counts), RestartAndIgnoreMaxRestarts (does not count), or Fail."""


class Restart(
    ApiModel,
    json_schema_extra=rules(
        (
            "!has(self.policy) || self.policy != 'Never' || "
            "(!has(self.maxRestarts) && !has(self.rules))",
            "remove restart.maxRestarts and restart.rules, or write another restart.policy than "
            "Never",
        ),
        (
            "!has(self.policy) || self.policy != 'Pod' || !has(self.rules) || "
            "self.rules.all(r, !has(r.onReasons))",
            "write onExitCodes instead of onReasons: with restart.policy Pod Kubernetes restarts "
            "the pods, and it knows exit codes alone",
        ),
    ),
):
    """What happens when a pod fails or is lost."""

    policy: RestartPolicy | None = Field(
        default=None,
        description="Group: all pods end and start again together, from the last checkpoint. Pod: "
        "only the pod that failed. Never: the job fails. The default is Group, and Pod for an "
        "elastic job.",
    )
    max_restarts: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None,
        description="How many restarts may follow failures before the job fails; 0 by default. "
        "Disruptions do not count.",
    )
    rules: (
        Annotated[
            list[RestartRule],
            Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """Exceptions, by exit code, reason or disruption."""


class Elastic(
    ApiModel,
    json_schema_extra=rules(
        (
            "self.minNodes <= self.maxNodes",
            "write an elastic.minNodes that is at most elastic.maxNodes",
        )
    ),
):
    """A group whose size may change while it trains."""

    min_nodes: Annotated[int, Field(ge=1, le=1024)]
    """Fewest pods that train together."""
    max_nodes: Annotated[int, Field(ge=1, le=1024)]
    """Most pods that train together."""
    max_restarts: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=10,
        description="How often the group may form again after failures: torchrun's --max-restarts.",
    )


class TrainingLife(ApiModel):
    """How the job waits, goes on, stops and is tried again."""

    restart: Restart | None = Field(
        default=None, description="What happens when a pod fails or is lost."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None,
        description="The same as restart.maxRestarts, by the name that it has in a Job.",
    )
    elastic: Elastic | None = Field(
        default=None,
        description="Lets nodes change between two bounds while the job runs, as by kubectl scale.",
    )
    suspend: bool = Field(
        default=False,
        description="Whether no pods may run at present. They get their time to save; the job "
        "goes on at its last checkpoint.",
    )
    active_deadline_seconds: Seconds | None = Field(
        default=None,
        description="Longest running time of the training over all its restarts, in seconds; the "
        "clock stands while the job is suspended or waits to be restarted.",
    )
    queue_deadline_seconds: Seconds | None = Field(
        default=None,
        description="Longest wait until all pods run, in seconds: for what the job needs, in its "
        "queue, for nodes. Counted again after a suspension or a restart.",
    )
    progress_deadline_seconds: Seconds | None = Field(
        default=None,
        description="Longest time that the script may run without reporting progress, in seconds. "
        "It reports through slipway_runtime.report; a script that never does counts as hanging.",
    )
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = Field(
        default=None, description="When a finished job is deleted, in seconds after its end."
    )
    clean_pod_policy: CleanPodPolicy = Field(
        default="Running",
        description="What becomes of the pods at the job's end. Running: those that still run are "
        "stopped, the others stay for their logs. All: all are deleted. None: all are left alone.",
    )
    queue_name: (
        Annotated[
            str,
            text(
                "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
                "write the name of a Kueue LocalQueue in the job's namespace",
                longest=63,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Kueue's LocalQueue that admits the job; its pods start when Kueue says so.",
    )
    gang: GangScheduler = Field(
        default=NO_GANG,
        description="Whose object has all pods scheduled together or none: the scheduler-plugins' "
        "PodGroup (Coscheduling), Volcano's PodGroup, or Kubernetes' own Workload.",
    )
    managed_by: (
        Annotated[
            str,
            text(
                "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9/_.~-]+$",
                "write the controller's name with its domain, such as kueue.x-k8s.io/multikueue",
                longest=63,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="The controller that looks after this job; this operator leaves the job alone "
        f"unless it is absent or {MANAGER_NAME}.",
    )

    @property
    def restart_policy(self) -> RestartPolicy:
        """The policy that holds: the one written, or the default for the sort of job."""
        written = self.restart.policy if self.restart else None
        return written or ("Pod" if self.elastic else "Group")

    @property
    def max_restarts(self) -> int:
        """How many restarts may follow failures."""
        written = self.restart.max_restarts if self.restart else None
        return written if written is not None else self.backoff_limit or 0

    @property
    def restart_rules(self) -> list[RestartRule]:
        """The exceptions, in their order."""
        return (self.restart.rules if self.restart else None) or []


MUTABLE = frozenset(
    {
        "suspend",
        "active_deadline_seconds",
        "queue_deadline_seconds",
        "progress_deadline_seconds",
        "ttl_seconds_after_finished",
        "clean_pod_policy",
        "backoff_limit",
        "restart",
        "nodes",
        "package",
        "retention",
    }
)
"""Spec fields that may change after creation: ``restart`` and ``nodes`` within `RULES`.
``package`` is read once there is an output, and packages it again when it changes."""

_POLICY = "(has({0}.restart) && has({0}.restart.policy) ? {0}.restart.policy : '')"

RULES = (
    (
        "self.nodes == oldSelf.nodes || has(self.elastic)",
        "nodes cannot change after creation unless the job is elastic: write elastic.minNodes and "
        "elastic.maxNodes in a new object with another name",
    ),
    (
        "!has(self.elastic) || "
        "(self.nodes >= self.elastic.minNodes && self.nodes <= self.elastic.maxNodes)",
        "write nodes between elastic.minNodes and elastic.maxNodes",
    ),
    (
        f"{_POLICY.format('self')} == {_POLICY.format('oldSelf')}",
        "restart.policy cannot change after creation: create a new object with another name",
    ),
    (
        "!has(self.backoffLimit) || !has(self.restart) || !has(self.restart.maxRestarts)",
        "write restart.maxRestarts or backoffLimit, which mean the same, not both",
    ),
    (
        "!has(self.backoffLimit) || !has(self.restart) || !has(self.restart.policy) || "
        "self.restart.policy != 'Never' || self.backoffLimit == 0",
        "remove backoffLimit, or write another restart.policy than Never",
    ),
    (
        "!has(self.elastic) || !has(self.restart) || !has(self.restart.policy) || "
        "self.restart.policy == 'Pod'",
        "remove restart.policy or write Pod: an elastic group forms again when a pod comes or goes",
    ),
    (
        "!has(self.elastic) || !has(self.restart) || !has(self.restart.rules) || "
        "self.restart.rules.all(r, !has(r.onReasons))",
        "write onExitCodes instead of onReasons: Kubernetes restarts the pods of an elastic job, "
        "and it knows exit codes alone",
    ),
    (
        "!has(self.elastic) || (self.framework == 'torchrun' && !has(self.command))",
        "remove elastic, or write entrypoint or module under framework torchrun, which alone forms "
        "a group again",
    ),
    (
        "!has(self.elastic) || !has(self.queueName)",
        "remove elastic or queueName: a queue admits a group of a fixed size",
    ),
)
"""Rules over several fields of a TrainingJob's spec, as (CEL, message)."""
