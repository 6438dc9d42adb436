"""The whole status of a TrainingJob, made so that it is written seldom.

The write budget of a job's life counts: numbers that flicker while pods come and go (``nodes``,
and ``startTime``) are brought up to date only together with something that matters by itself: a
condition, the progress, an output. Until then they stay as they were, as does the clock of the
running time, whose stretches begin and end together with conditions.
"""

from datetime import datetime

from slipway.api import Conditions, TrainingJob, is_true
from slipway.api.training.retention import MAX_VERSIONS, EarlierPackage
from slipway.api.training.status import Nodes, PackageStatus, Progress, TrainingJobStatus
from slipway.training import reasons
from slipway.training.children import elastic
from slipway.training.observed import jobs, materials
from slipway.training.observed.jobs import JobView, failures
from slipway.training.observed.source_revision import source_revision
from slipway.training.outcome import Outcome
from slipway.training.report import running_time
from slipway.training.report.phase import phase_of, reason_of
from slipway.training.report.progress import (
    anew,
    final_progress,
    with_known_checkpoint,
    with_percent,
)
from slipway.training.snapshot import TrainingSnapshot


def compose(
    snapshot: TrainingSnapshot,
    step: Outcome,
    live: JobView | None,
    conditions: Conditions,
    now: datetime,
) -> TrainingJobStatus:
    """Return the status that a stage's step and the training Job add up to."""
    job, before = snapshot.job, snapshot.job.status
    current = conditions.to_list()
    quiet = TrainingJobStatus(
        observed_generation=job.metadata.generation,
        phase=phase_of(current),
        reason=reason_of(current),
        conditions=current,
        start_time=before.start_time,
        completion_time=step.completion_time,
        nodes=before.nodes,
        progress=_progress(snapshot, step, live),
        source_revision=before.source_revision,
        image_digest=before.image_digest,
        inputs=step.inputs or before.inputs,
        output=step.output or before.output,
        package=step.package or before.package,
        rejected_package=_rejected(before, step),
        packaging=step.packaging or before.packaging,
        earlier_packages=earlier_packages(before, step.package, step.rejected_package),
        retention=before.retention,
        attempt=step.attempt.number if step.attempt else jobs.attempt_of(job, live),
        restarts=step.attempt.restarts if step.attempt else before.restarts,
        run_time=before.run_time,
        back_off=step.attempt.back_off if step.attempt else before.back_off,
        failure=step.failure or before.failure,
        selector=elastic.selector(job),
    )
    if quiet == before:
        return quiet
    refused = live is not None and live.uid in snapshot.refused
    update = {
        "start_time": before.start_time or (live.status.get("startTime") if live else None),
        "nodes": nodes(job, live),
        "source_revision": source_revision(job, live),
        "image_digest": materials.image_digest(job, live),
        "inputs": materials.inputs(job, live, quiet.inputs),
        "run_time": running_time.advance(before.run_time, live, now, refused=refused),
    }
    return quiet.model_copy(update=update)


def nodes(job: TrainingJob, live: JobView | None) -> Nodes:
    """Return the counts of the training's pods, each by its Job's word or what is seen of it."""
    if live is None:
        idle = {"desired": job.spec.nodes, "active": 0, "ready": 0}
        return job.status.nodes.model_copy(update=idle)
    active = [pod for pod in live.pods if not (pod.ended or pod.deleting)]
    return Nodes(
        desired=job.spec.nodes,
        active=len(active),
        ready=sum(pod.main.running for pod in active),
        succeeded=max(live.count("succeeded"), sum(pod.succeeded for pod in live.pods)),
        failed=failures(live),
    )


def _progress(snapshot: TrainingSnapshot, step: Outcome, live: JobView | None) -> Progress | None:
    """Return the last word on the progress: the end's, what was just read, or what was known.

    A group that starts again, or goes on after a suspension, is not where it was before.
    """
    before = snapshot.job.status
    if step.attempt or _resumes(snapshot, step):
        return anew(before.progress)
    progress = step.progress or _told(snapshot, step, live)
    return with_known_checkpoint(progress, before.progress) if progress else before.progress


def _resumes(snapshot: TrainingSnapshot, step: Outcome) -> bool:
    suspended = is_true(snapshot.job.status.conditions, reasons.SUSPENDED)
    over = any(
        finding.type == reasons.SUSPENDED and not finding.status for finding in step.findings
    )
    return suspended and over and step.output is None and step.completion_time is None


def _told(snapshot: TrainingSnapshot, step: Outcome, live: JobView | None) -> Progress | None:
    """Return what index 0 says of this attempt; where it was suspended, that is its last word."""
    job = snapshot.job
    if step.output is not None or live is None or live.attempt < job.status.attempt:
        return None
    if snapshot.progress:
        return with_percent(snapshot.progress)
    return final_progress(job, live) if job.spec.suspend else None


def _rejected(before: TrainingJobStatus, step: Outcome) -> PackageStatus | None:
    """Return the archive that was rejected last, until a later one is stored."""
    return None if step.package else step.rejected_package or before.rejected_package


def earlier_packages(
    before: TrainingJobStatus, made: PackageStatus | None, rejected: PackageStatus | None = None
) -> list[EarlierPackage]:
    """Return the archives beside the newest one, once a packaging has made another.

    One that is ``rejected`` takes the place of the one that was rejected before, and no other.
    """
    newest = made or rejected
    if newest is None:
        return before.earlier_packages
    replaced = [before.rejected_package, *([before.package] if made else [])]
    earlier = [
        _earlier(package)
        for package in replaced
        if package and package.number not in (None, newest.number)
    ]
    earlier.sort(key=lambda package: package.number, reverse=True)
    return [*earlier, *before.earlier_packages][:MAX_VERSIONS]


def _earlier(last: PackageStatus) -> EarlierPackage:
    known = last.model_dump(include={"number", "uri", "sha256", "model_version", "encryption"})
    marked = {"rejected": True} if last.missed else {}
    return EarlierPackage.model_validate({**known, **marked})
