"""What one stage of a TrainingJob's life says: the acts it needs, and what the status will say."""

from dataclasses import dataclass

from slipway.api import find
from slipway.api.training.attempts import BackOff, FailureStatus
from slipway.api.training.status import (
    InputStatus,
    OutputStatus,
    PackageStatus,
    PackagingStatus,
    Progress,
    TrainingJobStatus,
)
from slipway.plan import Delete, Event, Manifest, Patch


@dataclass(frozen=True)
class Finding:
    """One condition as it was found now."""

    type: str
    status: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Attempt:
    """Which attempt the job is at: its number, how many restarts count so far, when it starts."""

    number: int
    restarts: int
    back_off: BackOff


@dataclass(frozen=True)
class Outcome:
    """One stage's word. No ``findings`` means: too early to tell, leave the status alone.

    ``inputs``, ``output``, ``package``, ``rejected_package``, ``packaging``, ``progress``,
    ``completion_time``, ``attempt`` and ``failure`` are None where this stage has nothing newer
    than the status.
    ``events`` are those that no condition's turn implies. ``requeue_after`` is in seconds, and so
    is ``ends_in``: when a deadline of the job passes, whatever is refused until then.
    """

    findings: tuple[Finding, ...] = ()
    apply: tuple[Manifest, ...] = ()
    patch: tuple[Patch, ...] = ()
    delete: tuple[Delete, ...] = ()
    events: tuple[Event, ...] = ()
    inputs: list[InputStatus] | None = None
    output: OutputStatus | None = None
    package: PackageStatus | None = None
    rejected_package: PackageStatus | None = None
    packaging: PackagingStatus | None = None
    progress: Progress | None = None
    completion_time: str | None = None
    attempt: Attempt | None = None
    failure: FailureStatus | None = None
    requeue_after: float | None = None
    ends_in: float | None = None


def kept(status: TrainingJobStatus, type_: str, default: Finding) -> Finding:
    """Return a condition as it was reported last; ``default`` where it was not."""
    before = find(status.conditions, type_)
    if before is None:
        return default
    return Finding(type_, before.status == "True", before.reason, before.message)
