"""What a TrainingJob's planner looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.api.training.job import TrainingJob
from slipway.api.training.status import Progress
from slipway.plan import Children, Reference, Removed, StoreState
from slipway.training.children.gates import Served


@dataclass(frozen=True)
class Silence:
    """A pod whose questions for its progress go unanswered: its name, for how long, and why.

    ``seconds`` counts from the first question that failed. ``error`` is how the last one ended, a
    printable part of a sentence such as "it takes no connection within 1 s".
    """

    pod: str
    seconds: float
    error: str


@dataclass(frozen=True)
class TrainingSnapshot:
    """One frozen look at a TrainingJob and its surroundings.

    ``children`` are the Service, Jobs and Pods with the job's label and UID as (pods: indirect)
    owner. ``source_keys`` are the keys of the source's ConfigMap; None where there is no such
    ConfigMap, or it was not looked for. ``source_gone``: it was looked for, and is not there.
    ``gang_served``: the cluster has the kind that ``spec.gang`` needs. ``progress`` is what index
    0's pod last reported, and ``progress_age`` how many seconds ago the question was asked that it
    answered last: infinite before the first answer, 0 where there is no such pod to ask.
    ``silence`` is there while that pod cannot be asked. ``pod_security`` is the Pod Security level
    that the namespace's label enforces, if any; it is read where there is a podTemplate.
    ``references`` are what the namespace's other objects name in the store, read where something of
    the job's is due to be removed, and ``removed`` is how that stands.
    ``other_jobs`` are the TrainingJobs, by their names, whose archives the job's inputs wait for,
    and those that these wait for in turn; None for one that is there and cannot be read.
    ``served`` is the archive of the stable revision of ``package.comparedWith``, if there is one.
    ``refused`` has the API server's sentence for each Job, by its UID, whose pods it refuses.
    """

    job: TrainingJob
    children: Children = field(default_factory=Children)
    source_keys: frozenset[str] | None = None
    source_gone: bool = False
    store: StoreState = field(default_factory=StoreState)
    gang_served: bool = True
    pod_security: str | None = None
    other_jobs: Mapping[str, TrainingJob | None] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    progress: Progress | None = None
    progress_age: float = 0.0
    silence: Silence | None = None
    references: tuple[Reference, ...] | None = None
    removed: Removed | None = None
    served: Served | None = None
