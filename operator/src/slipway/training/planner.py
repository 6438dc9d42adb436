"""From a snapshot of a TrainingJob to the plan for it.

A job's life has stages, and where it stands follows from what is observed and from its status, in
this order: it has ended (the status says Succeeded or Failed); its training is done (the status
has an output) and it is packaged; its training Job has ended, lives, or is not there.
"""

from dataclasses import replace
from datetime import datetime

from slipway.api import Conditions
from slipway.plan import Plan
from slipway.settings import Settings
from slipway.training.afterlife import after_the_end
from slipway.training.creation import create
from slipway.training.ending import LOOK_AGAIN_SECONDS, fail, final_progress, output_of
from slipway.training.events import events
from slipway.training.packaging import package
from slipway.training.phase import is_finished
from slipway.training.running import run
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.status import compose
from slipway.training.step import Step
from slipway.training.view import JobView, Look, look


def plan(snapshot: TrainingSnapshot, settings: Settings, now: datetime) -> Plan:
    """Return what should be done for a TrainingJob now; ``now`` has a time zone."""
    job = snapshot.job
    if job.metadata.deletion_timestamp:
        return Plan()
    if is_finished(job.status.conditions):
        return after_the_end(job, now)
    found = look(job, snapshot.children)
    return _carry_out(snapshot, _stage(snapshot, found, settings, now), found.training, now)


def _stage(snapshot: TrainingSnapshot, found: Look, settings: Settings, now: datetime) -> Step:
    job, training = snapshot.job, found.training
    if job.status.output:
        return package(snapshot, found, job.status.output, settings, now)
    if training is None:
        return create(snapshot, settings, now)
    if training.complete:
        return _complete(snapshot, found, training, settings, now)
    if training.failed:
        return fail(job, training, now)
    return run(snapshot, training, settings)


def _complete(
    snapshot: TrainingSnapshot, found: Look, training: JobView, settings: Settings, now: datetime
) -> Step:
    output = output_of(snapshot.job, training, settings, now)
    if output is None:
        return Step(requeue_after=LOOK_AGAIN_SECONDS)
    step = package(snapshot, found, output, settings, now)
    return replace(step, progress=final_progress(training)) if step.findings else step


def _carry_out(
    snapshot: TrainingSnapshot, step: Step, training: JobView | None, now: datetime
) -> Plan:
    job = snapshot.job
    conditions = Conditions(job.status.conditions, now, job.metadata.generation)
    for found in step.findings:
        conditions.set(found.type, found.status, found.reason, found.message)
    status = compose(snapshot, step, training, conditions).to_wire() if step.findings else None
    turned = events(job.status.conditions, conditions)
    return Plan(
        apply=step.apply,
        patch=step.patch,
        delete=step.delete,
        status=status,
        events=(*step.events, *turned),
        requeue_after=step.requeue_after,
    )
