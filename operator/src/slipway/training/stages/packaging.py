"""The stage after the training: from the output to the archive, where one is asked for."""

from dataclasses import replace
from datetime import datetime

from slipway.api import TrainingJob, parse_time, timestamp
from slipway.api.training.status import OutputStatus, PackageStatus
from slipway.observed.pods import ContainerView
from slipway.plan import PROBLEM_SECONDS, Delete, Event, Manifest
from slipway.settings import Settings
from slipway.store import store_secrets
from slipway.training import reasons
from slipway.training.children import names, trust
from slipway.training.children.packaging_job import (
    BACKOFF_LIMIT,
    STORE_UNAVAILABLE_CODE,
    packaging_job,
)
from slipway.training.observed import materials
from slipway.training.observed.first_failure import Failure, describe, first_failure
from slipway.training.observed.jobs import JobView, ObservedJobs
from slipway.training.observed.last_words import last_word
from slipway.training.observed.pods import JobPod
from slipway.training.observed.source_revision import source_revision
from slipway.training.observed.start_problems import first_problem, missing_source, refused
from slipway.training.outcome import Finding, Outcome, kept
from slipway.training.report.conditions import suspension
from slipway.training.report.conditions.common import created
from slipway.training.report.phase import is_finished
from slipway.training.report.progress import final_progress
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stages import gates, repackaging
from slipway.training.stages.ending import (
    LOOK_AGAIN_SECONDS,
    ended_at,
    first_pod,
    may_come,
    trained_image,
)
from slipway.training.stages.live_changes import packaging_changes
from slipway.training.stored.forbidden_places import forbidden_output, forbidden_place

REFUSED_SECONDS = 3600.0
"""So long a packaging Job whose pod the API server refuses is tried; then the job ends."""


def package(
    snapshot: TrainingSnapshot,
    observed: ObservedJobs,
    output: OutputStatus,
    settings: Settings,
    now: datetime,
) -> Outcome:
    """Bring a job whose training completed to its end: with its archive, or without one."""
    step = _anew(snapshot.job, observed.packaging) or _next(
        snapshot, observed, output, settings, now
    )
    if not step.findings:
        return step
    completed = Finding(reasons.RUNNING, False, reasons.COMPLETED, "The training is done.")
    return replace(step, findings=(created(), completed, *step.findings), output=output)


def _anew(job: TrainingJob, live: JobView | None) -> Outcome | None:
    """Ask for the next packaging, or make room for its Job; None where neither is to be done."""
    if job.spec.package is None:
        return None
    wanted = repackaging.wanted(job, job.spec.package, live)
    known = repackaging.known(job, live)
    again = known is not None and known.number < wanted.number
    if is_finished(job.status.conditions) or again:
        message = "The stored output is packaged as spec.package says now."
        findings = (_packaging(message), *suspension.over(job.status))
        return Outcome(findings=findings, packaging=wanted, requeue_after=0.0)
    if live is None or repackaging.number_of(live) == wanted.number:
        return None
    earlier = _packaging("The packaging before ends, to start again.")
    findings = (earlier, *suspension.over(job.status))
    return Outcome(findings=findings, packaging=wanted, delete=live.removal())


def _next(
    snapshot: TrainingSnapshot,
    observed: ObservedJobs,
    output: OutputStatus,
    settings: Settings,
    now: datetime,
) -> Outcome:
    job, live = snapshot.job, observed.packaging
    package = job.spec.package
    if package is None:
        end = ended_at(observed.training) if observed.training else None
        return _succeed(job, output.message, end or now)
    packaging = repackaging.wanted(job, package, live)
    if live is None:
        image = trained_image(observed.training, job, settings)
        trained = trust.Trained(
            image,
            source_revision(job, observed.training),
            materials.image_digest(job, observed.training),
            {each.name: each.sha256 for each in materials.inputs(job, observed.training) or ()},
            _reported(job, observed),
            snapshot.served,
        )
        made = packaging_job(job, package, settings, output.uri, trained, packaging)
        step = _create(job, output, made, settings, now)
    else:
        facts = repackaging.facts(job, package, packaging)
        step = _at(snapshot, live, facts, settings, now)
    return replace(step, packaging=packaging)


def _reported(job: TrainingJob, observed: ObservedJobs) -> dict[str, str]:
    """Return the metrics of the training's last report, where it left one."""
    last = final_progress(job, observed.training) if observed.training else None
    progress = last or job.status.progress
    return progress.metrics if progress else {}


def _at(
    snapshot: TrainingSnapshot,
    live: JobView,
    facts: dict[str, object],
    settings: Settings,
    now: datetime,
) -> Outcome:
    """Return where the packaging stands that a Job does."""
    job = snapshot.job
    if live.complete:
        return _read(job, live, facts, now)
    if live.failed:
        return _fail(job, live, now)
    never = refused(snapshot, live)
    if never and not live.had_pods and _waited(live, now) > REFUSED_SECONDS:
        return _failed(job, never, now)
    return _follow(snapshot, live, settings)


def _waited(live: JobView, now: datetime) -> float:
    """Return for how many seconds a Job has been there."""
    started = parse_time(live.status.get("startTime"))
    return (now - started).total_seconds() if started else 0.0


def _create(
    job: TrainingJob, output: OutputStatus, made: Manifest, settings: Settings, now: datetime
) -> Outcome:
    forbidden = forbidden_place(job, settings) or forbidden_output(job, output.uri, settings)
    if forbidden:
        return _failed(job, forbidden, now)
    if job.spec.suspend:
        return Outcome(findings=(_packaging("Waits until it is resumed."), suspension.in_effect()))
    secrets = store_secrets(settings.store, job.metadata.namespace)
    findings = (_packaging("The archive is being made."), *suspension.over(job.status))
    return Outcome(findings=findings, apply=(*secrets, made))


def _follow(snapshot: TrainingSnapshot, live: JobView, settings: Settings) -> Outcome:
    job = snapshot.job
    suspended = suspension.of(live, job)
    secrets = store_secrets(settings.store, job.metadata.namespace)
    state = _state(snapshot, live)
    waits = live.waits_for_volumes or state.reason in reasons.PROBLEMS
    return Outcome(
        findings=(state, *suspended),
        apply=() if live.deleting else secrets,
        patch=packaging_changes(job, live),
        requeue_after=PROBLEM_SECONDS if waits else None,
    )


def _state(snapshot: TrainingSnapshot, live: JobView) -> Finding:
    """Return how the packaging goes: what the last try that ended said, if that went wrong."""
    if live.suspended:
        return _packaging("Waits until it is resumed.")
    problem = (
        first_problem(live.pods) or missing_source(snapshot, live.pods) or refused(snapshot, live)
    )
    if problem:
        return Finding(reasons.PACKAGED, False, problem.reason, problem.message)
    failed = max((pod for pod in live.pods if pod.failed), key=lambda p: p.created, default=None)
    if failed is None:
        return _packaging("The archive is being made.")
    if _is_transient(failed):
        return _store_unavailable(failed)
    retrying = _packaging(f"Tried again. {describe(failed).message}")
    counted = sum(pod.failed and not _is_transient(pod) for pod in live.pods)
    return (
        kept(snapshot.job.status, reasons.PACKAGED, retrying)
        if counted > BACKOFF_LIMIT
        else retrying
    )


def _is_transient(pod: JobPod) -> bool:
    return _unavailable(pod) is not None


def _unavailable(pod: JobPod) -> ContainerView | None:
    """Return the container of a packaging pod that gave up as the store is unavailable."""
    makers = (each for each in pod.containers if each.name in (names.PACKAGER, names.BUILDER))
    return next((each for each in makers if each.exit_code == STORE_UNAVAILABLE_CODE), None)


def _packaging(message: str) -> Finding:
    return Finding(reasons.PACKAGED, False, reasons.PACKAGING, message)


def _store_unavailable(pod: JobPod) -> Finding:
    container = _unavailable(pod)
    word = last_word(container) if container else None
    why = (word.string("message") if word else "") or "The artifact store is unavailable."
    message = f"{why} It is tried again while the packaging has time."
    return Finding(reasons.PACKAGED, False, reasons.STORE_UNAVAILABLE, message)


def _read(job: TrainingJob, live: JobView, facts: dict[str, object], now: datetime) -> Outcome:
    """Take the archive's digest from the packager's last word; make it again where that is lost.

    That is safe: the same output makes the same archive.
    """
    pod = first_pod(live)
    if pod is None:
        return _wait(live, now) or _repeat(job, live)
    made = gates.package_status(job, live, last_word(pod.main), facts)
    if made is None:
        unread = Failure(reasons.PACKAGING_FAILED, f"Pod {pod.name} left no record of the archive.")
        return _failed(job, unread, ended_at(live) or now)
    if made.missed:
        return _rejected(job, made, ended_at(live) or now)
    stored = Finding(
        reasons.PACKAGED, True, reasons.PACKAGE_STORED, f"The archive is at {made.uri}."
    )
    succeeded = _succeed(job, f"The archive is at {made.uri}.", ended_at(live) or now)
    return replace(succeeded, findings=(stored, *succeeded.findings), package=made)


def _rejected(job: TrainingJob, made: PackageStatus, end: datetime) -> Outcome:
    """End a job whose archive missed a gate; the one before it, if any, is served on."""
    message = gates.verdict(made)
    return Outcome(
        findings=(
            *suspension.over(job.status),
            Finding(reasons.PACKAGED, False, reasons.REJECTED, message),
            Finding(reasons.FAILED, True, reasons.REJECTED, message),
        ),
        rejected_package=made,
        completion_time=timestamp(end),
    )


def _wait(live: JobView, now: datetime) -> Outcome | None:
    return Outcome(requeue_after=LOOK_AGAIN_SECONDS) if may_come(live, now) else None


def _repeat(job: TrainingJob, live: JobView) -> Outcome:
    """Delete a Job whose pod is lost with what it said; the next reconcile creates it again."""
    message = f"The Job {live.ref.name} ended, but its pod is gone with the record: made again."
    return Outcome(
        findings=(_packaging("The archive is being made again."), *suspension.over(job.status)),
        delete=() if live.deleting else (Delete(live.ref, live.uid),),
        events=() if live.deleting else (Event("Warning", "PackagingRepeated", message),),
    )


def _fail(job: TrainingJob, live: JobView, now: datetime) -> Outcome:
    if live.condition("Failed").get("reason") == "DeadlineExceeded":
        return _failed(job, repackaging.overdue(job, live), ended_at(live) or now)
    failure = first_failure(live.pods)
    waiting = None if failure else _wait(live, now)
    if waiting:
        return waiting
    why = live.condition("Failed").get("message") or "its Job does not say why"
    cause = failure.message if failure else str(why)
    return _failed(job, Failure(reasons.PACKAGING_FAILED, cause), ended_at(live) or now)


def _failed(job: TrainingJob, cause: Failure, end: datetime) -> Outcome:
    message = f"The archive could not be made; the output is kept. {cause.message}"
    return Outcome(
        findings=(
            *suspension.over(job.status),
            Finding(reasons.PACKAGED, False, cause.reason, message),
            Finding(reasons.FAILED, True, cause.reason, message),
        ),
        completion_time=timestamp(end),
    )


def _succeed(job: TrainingJob, where: str, end: datetime) -> Outcome:
    done = Finding(reasons.SUCCEEDED, True, reasons.COMPLETED, f"The job is done. {where}")
    return Outcome(findings=(*suspension.over(job.status), done), completion_time=timestamp(end))
