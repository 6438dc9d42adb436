"""From a snapshot of a TrainingJob to the plan for it.

A job's life has stages, and where it stands follows from what is observed and from its status, in
this order: it has ended (the status says Succeeded or Failed) and its package is the same as then;
its training is done (the status has an output) and it is packaged; its training Job has ended
well, is one of an earlier attempt, has failed, lives, or is not there.
"""

from dataclasses import replace
from datetime import datetime

from slipway.api import Conditions, TrainingJob
from slipway.api.training.life import MANAGER_NAME
from slipway.plan import Plan
from slipway.settings import Settings
from slipway.training import reasons
from slipway.training.children.network import obsolete
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView, ObservedJobs, observed_jobs
from slipway.training.outcome import Finding, Outcome
from slipway.training.report import running_time
from slipway.training.report.conditions import package_files, queued, suspension
from slipway.training.report.conditions.progress_unknown import progress_unknown
from slipway.training.report.conditions.restarting import restarting
from slipway.training.report.events import events
from slipway.training.report.phase import is_finished
from slipway.training.report.progress import final_progress
from slipway.training.report.status import compose
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages import repackaging, restart
from slipway.training.stages.creation import create
from slipway.training.stages.ending import LOOK_AGAIN_SECONDS, after_failure, end, output_of
from slipway.training.stages.finished import after_the_end, needless, spent_keys
from slipway.training.stages.packaging import package
from slipway.training.stages.running import run


def plan(snapshot: TrainingSnapshot, settings: Settings, now: datetime) -> Plan:
    """Return what should be done for a TrainingJob now; ``now`` has a time zone."""
    job = snapshot.job
    if job.metadata.deletion_timestamp or job.spec.managed_by not in (None, MANAGER_NAME):
        return Plan()
    observed = observed_jobs(job, snapshot.children)
    if is_finished(job.status.conditions) and not repackaging.is_due(job):
        planned = after_the_end(snapshot, observed, settings, now)
    else:
        stage = _stage(snapshot, observed, settings, now)
        planned = _carry_out(snapshot, stage, observed.training, now)
    over = needless(job, planned, observed.training, snapshot.children)
    unguarded = obsolete(job, settings, snapshot.children)
    spent = spent_keys(job, observed)
    return replace(planned, delete=(*planned.delete, *over, *spent, *unguarded))


def _stage(
    snapshot: TrainingSnapshot, observed: ObservedJobs, settings: Settings, now: datetime
) -> Outcome:
    job, training = snapshot.job, observed.training
    if job.status.output:
        return package(snapshot, observed, job.status.output, settings, now)
    if training and training.complete:
        return _complete(snapshot, observed, training, settings, now)
    if training and training.attempt < job.status.attempt:
        return restart.replace_job(job, training, settings, now)
    if training and training.failed:
        return after_failure(job, training, now)
    return _unfinished(snapshot, observed, settings, now)


def _unfinished(
    snapshot: TrainingSnapshot, observed: ObservedJobs, settings: Settings, now: datetime
) -> Outcome:
    """Follow a job whose training has not ended, within its deadlines."""
    job, training, keys = snapshot.job, observed.training, observed.keys
    idle = training is None or training.suspended
    if idle and running_time.used_up(job) and not job.spec.suspend:
        return end(job, training, running_time.exceeded(job), now)
    if training is None:
        return _in_time(job, None, create(snapshot, keys, settings, now), now)
    if job.spec.suspend and job.spec.queue_name:
        return suspension.leave_queue(job, training, restart.stuck(training, settings, now))
    trouble = restart.trouble(snapshot, training, settings, now)
    if isinstance(trouble, Failure):
        restarted = restart.restart(job, training, trouble, now)
        return restarted or end(job, training, trouble, now)
    step = _in_time(job, training, run(snapshot, training, settings, now), now)
    return replace(step, requeue_after=_sooner(step.requeue_after, trouble))


def _in_time(job: TrainingJob, training: JobView | None, step: Outcome, now: datetime) -> Outcome:
    """Return the step, or the job's end where it would wait longer than it may."""
    conditions = {finding.type: finding for finding in step.findings}
    waits = queued.queued(job, conditions) or queued.before(job)
    left = queued.time_left(job, waits, now)
    if left is None:
        return step
    if left <= 0:
        return end(job, training, queued.overdue(job, waits), now)
    return replace(step, requeue_after=_sooner(step.requeue_after, left), ends_in=left)


def _sooner(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _complete(
    snapshot: TrainingSnapshot,
    observed: ObservedJobs,
    training: JobView,
    settings: Settings,
    now: datetime,
) -> Outcome:
    output = output_of(snapshot.job, training, settings, now)
    if output is None:
        return Outcome(requeue_after=LOOK_AGAIN_SECONDS)
    step = package(snapshot, observed, output, settings, now)
    return replace(step, progress=final_progress(snapshot.job, training)) if step.findings else step


def _carry_out(
    snapshot: TrainingSnapshot, step: Outcome, training: JobView | None, now: datetime
) -> Plan:
    job = snapshot.job
    conditions = Conditions(job.status.conditions, now, job.metadata.generation)
    for finding in _with_summaries(snapshot, step):
        conditions.set(finding.type, finding.status, finding.reason, finding.message)
    status = compose(snapshot, step, training, conditions, now).to_wire() if step.findings else None
    turned = events(job.status.conditions, conditions)
    return Plan(
        apply=step.apply,
        patch=step.patch,
        delete=step.delete,
        status=status,
        events=(*step.events, *turned),
        # What is left to clean up at the end, and the time to live, are planned once it is told.
        requeue_after=0.0 if step.completion_time else step.requeue_after,
        ends_in=step.ends_in,
    )


def _with_summaries(snapshot: TrainingSnapshot, step: Outcome) -> tuple[Finding, ...]:
    """Return a step's conditions, with Restarting and Queued, which follow from the others."""
    job, findings = snapshot.job, {each.type: each for each in step.findings}
    for type_, derive in ((reasons.RESTARTING, restarting), (reasons.QUEUED, queued.queued)):
        derived = None if type_ in findings else derive(job, findings)
        if derived is not None:
            findings[type_] = derived
    if findings:
        files = package_files.over_or_missing(snapshot, reasons.PACKAGED in findings)
        for summary in (progress_unknown(snapshot, findings), files):
            if summary is not None:
                findings[summary.type] = summary
    return tuple(findings.values())
