"""Whole-group restart: when a failure or a lost pod starts all pods anew, and when it is the end.

A restart has two steps, so that a crash of the operator between them loses nothing: first the
status says which attempt is wanted, then a Job of an earlier attempt is deleted, and the one of the
wanted attempt is created when it and its pods are gone. There are never two Jobs.
"""

from dataclasses import dataclass
from datetime import datetime

from slipway.api import TrainingJob, timestamp
from slipway.api.training.attempts import FailureStatus
from slipway.api.training.life import RestartRule
from slipway.plan import Delete, Event
from slipway.settings import Settings
from slipway.training import reasons
from slipway.training.observed.first_failure import Failure, describe, first_failure, first_taken
from slipway.training.observed.jobs import JobView, attempt_of
from slipway.training.observed.pods import JobPod
from slipway.training.outcome import Attempt, Finding, Outcome
from slipway.training.report import backoff
from slipway.training.report.conditions import suspension
from slipway.training.report.conditions.common import created, not_running
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages import hang

SETTLE_SECONDS = 2.0
"""For so long a pod must be known to go before its group is restarted for it: a Job controller
that ends a Job deletes its pods a moment before it says so."""


@dataclass(frozen=True)
class Verdict:
    """Whether the group starts again, and whether that counts."""

    restart: bool
    counts: bool = False


def verdict(job: TrainingJob, failure: Failure) -> Verdict:
    """Return what follows from a failure: the first rule that matches, else the policy."""
    if job.spec.restart_policy == "Never" or failure.reason in reasons.INVALID_CODE:
        return Verdict(restart=False)
    rule = next((rule for rule in job.spec.restart_rules if _matches(rule, failure)), None)
    default = "RestartAndIgnoreMaxRestarts" if failure.disruption else "Restart"
    action = rule.action if rule else default
    if action == "Restart":
        return Verdict(job.status.restarts < job.spec.max_restarts, counts=True)
    return Verdict(action != "Fail")


def _matches(rule: RestartRule, failure: Failure) -> bool:
    if rule.on_disruption:
        return failure.disruption
    if rule.on_reasons is not None:
        return failure.reason in rule.on_reasons
    codes, code = rule.on_exit_codes, failure.record.exit_code if failure.record else None
    if codes is None or code is None or failure.disruption:
        return False
    return (code in codes.values) == (codes.operator == "In")


def restart(job: TrainingJob, live: JobView, failure: Failure, now: datetime) -> Outcome | None:
    """Ask for the next attempt; None where the verdict is that the job fails."""
    decided = verdict(job, failure)
    if not decided.restart:
        return None
    number = attempt_of(job, live) + 1
    count = job.status.restarts + decided.counts
    limit = job.spec.max_restarts
    which = f"Restart {count} of {limit}" if decided.counts else "A restart that does not count"
    back_off = backoff.after_attempt(job.status.back_off, live, now)
    if back_off.until:
        which += f", no sooner than {back_off.until}"
    message = f"{which}. {failure.message}"
    return Outcome(
        findings=(
            created(),
            not_running(reasons.RESTARTING, f"The group starts again. {failure.message}"),
            *suspension.over(job.status),
            Finding(reasons.RESTARTING, True, failure.reason, message),
        ),
        events=(Event("Warning", "Restarting", message),),
        attempt=Attempt(number, count, back_off),
        failure=record_of(failure, number - 1, now),
        requeue_after=0.0,
    )


def record_of(failure: Failure, attempt: int, now: datetime) -> FailureStatus:
    """Return what the status remembers of a failure."""
    record = failure.record or FailureStatus(reason=failure.reason, disruption=failure.disruption)
    update = {"reason": failure.reason, "attempt": attempt, "time": record.time or timestamp(now)}
    return record.model_copy(update=update)


def replace_job(job: TrainingJob, live: JobView, settings: Settings, now: datetime) -> Outcome:
    """Delete the Job of an earlier attempt and wait until it and its pods are gone."""
    said = (created(), not_running(reasons.RESTARTING, "The group's pods end, to start again."))
    return Outcome(
        findings=(*said, *suspension.over(job.status)),
        delete=(*live.removal(), *stuck(live, settings, now)),
        requeue_after=settings.lost_pod_seconds / 2,
    )


def stuck(live: JobView, settings: Settings, now: datetime) -> tuple[Delete, ...]:
    """Return the deletion of pods that should long be gone: their node is lost."""
    overdue = (pod for pod in live.pods if _is_overdue(pod, settings, now))
    return tuple(Delete(pod.ref, pod.uid, grace_seconds=0) for pod in overdue)


def _is_overdue(pod: JobPod, settings: Settings, now: datetime) -> bool:
    return pod.due is not None and now.timestamp() > pod.due + settings.lost_pod_seconds


def _lost_pod(
    job: TrainingJob, live: JobView, settings: Settings, now: datetime
) -> Failure | float | None:
    """Return the loss that a live Job's group cannot go on with.

    A number says in how many seconds to look again; None that nothing is lost.
    """
    lost = [pod for pod in live.pods if pod.taken_at is not None and not pod.succeeded]
    lost = [pod for pod in lost if _breaks(job, live, pod, settings, now)]
    if not lost:
        return _latecomer(job, live)
    if any(pod.failed and pod.taken_at is None for pod in live.pods):
        return None
    first = first_taken(lost)
    known = now.timestamp() - (first.taken_at or 0.0)
    return SETTLE_SECONDS if known < SETTLE_SECONDS else _taken(first)


def _latecomer(job: TrainingJob, live: JobView) -> Failure | None:
    """Return why a pod that came when others had done their part would wait for them in vain.

    Kubernetes tells times in whole seconds: what came in the very second in which others ended came
    after them if it replaces another.
    """
    ends = [pod.main.terminated.get("finishedAt") or "" for pod in live.pods if pod.succeeded]
    if not ends or job.spec.restart_policy != "Pod" or not _meets(job):
        return None
    waits = next((pod for pod in live.pods if _came_late(job, live, pod, min(ends))), None)
    if waits is None:
        return None
    before = _before(live, waits)
    alone = f"Pod {waits.name} came when others had done their part, and would wait in vain."
    return first_failure(before) or Failure(reasons.POD_LOST, alone)


def _came_late(job: TrainingJob, live: JobView, pod: JobPod, end: str) -> bool:
    if pod.ended or (job.spec.elastic is not None and pod.index != 0):
        return False
    return pod.created > end or (pod.created == end and bool(_before(live, pod)))


def _before(live: JobView, pod: JobPod) -> list[JobPod]:
    """Return the pods that had a pod's index before it."""
    known = (*live.pods, *live.gone)
    return [other for other in known if other.index == pod.index and other.uid != pod.uid]


def _meets(job: TrainingJob) -> bool:
    """Tell whether the pods need each other: torchrun's do."""
    torchrun = job.spec.framework == "torchrun" and job.spec.command is None
    return torchrun and job.spec.most_nodes > 1


def _taken(pod: JobPod) -> Failure:
    """Return the loss of a pod, whether or not it has ended yet."""
    failure = describe(pod)
    if failure.disruption:
        return failure
    return Failure(reasons.POD_LOST, failure.message, failure.record)


def _breaks(
    job: TrainingJob, live: JobView, pod: JobPod, settings: Settings, now: datetime
) -> bool:
    """Tell whether a group cannot do without a pod that is going.

    Where pods are replaced one by one, it can: unless the others have done their part already, the
    pod holds the rendezvous of an elastic group, or its node is lost, so that Kubernetes waits for
    it for ever. Then it is restarted, too.
    """
    if pod.index >= job.spec.nodes or (job.spec.queue_name and not pod.disrupted):
        return False
    if _may_store(live, pod) and not _is_overdue(pod, settings, now):
        return False
    if job.spec.restart_policy != "Pod":
        return True
    holds_rendezvous = job.spec.elastic is not None and pod.index == 0
    done = _meets(job) and bool(live.completed_indexes)
    return done or holds_rendezvous or _is_overdue(pod, settings, now)


def _may_store(live: JobView, pod: JobPod) -> bool:
    """Tell whether a pod may be about to store the output, in the time that it has left to end.

    It is index 0, and the last one; how it ends tells whether the training was done. No other
    group can begin before that anyway.
    """
    others = (other for other in live.pods if other.uid != pod.uid)
    return pod.index == 0 and not pod.ended and all(other.succeeded for other in others)


def trouble(
    snapshot: TrainingSnapshot, live: JobView, settings: Settings, now: datetime
) -> Failure | float | None:
    """Return what a live Job's group must be ended for, or in how many seconds to look again."""
    if live.failing or live.deleting or live.spec.get("suspend"):
        return None
    left = hang.seconds_left(snapshot, live, now)
    if left is not None and left <= 0:
        return hang.hangs(snapshot)
    lost = _lost_pod(snapshot.job, live, settings, now)
    return left if lost is None else lost
