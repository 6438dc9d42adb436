"""The first stage: nothing is there yet, or somebody deleted the Job before its end."""

from datetime import datetime

from slipway.api import TrainingJob, is_true, timestamp
from slipway.api.training.status import InputStatus
from slipway.gangs import GANGS
from slipway.plan import Event, Manifest
from slipway.pods.overlay import OverlayError
from slipway.pods.permitted import refusal
from slipway.settings import Settings
from slipway.store import store_secrets
from slipway.training import reasons
from slipway.training.children import names, trust
from slipway.training.children.network import job_policy
from slipway.training.children.service import headless_service
from slipway.training.children.training_job import gang_object, training_job
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView
from slipway.training.observed.start_problems import first_problem, refused
from slipway.training.outcome import Finding, Outcome
from slipway.training.report import backoff
from slipway.training.report.conditions import package_files, suspension
from slipway.training.snapshot import TrainingSnapshot
from slipway.training.stored.forbidden_places import forbidden_place
from slipway.training.stored.other_jobs import Obstacle, chosen

WAIT_SECONDS = 10.0
"""How long to wait before what is missing is looked for again, in seconds."""


def create(
    snapshot: TrainingSnapshot, keys: JobView | None, settings: Settings, now: datetime
) -> Outcome:
    """Create the children, unless the job is suspended or something that they need is missing.

    ``keys`` is the Job that waits for the package's keys, where there is one.

    Once they are there, what they needed to start does not matter any more. The status says
    "created" when the Job is observed, not before.
    """
    job = snapshot.job
    if job.spec.suspend:
        nothing = "Nothing is created while spec.suspend is true."
        created = Finding(reasons.CREATED, False, reasons.SUSPENDED_BY_SPEC, nothing)
        return Outcome(findings=(created, suspension.in_effect()))
    forbidden = forbidden_place(job, settings)
    if forbidden:
        return _refuse(job, forbidden, now)
    archives = chosen(job, snapshot.other_jobs, settings)
    obstacle = archives if isinstance(archives, Obstacle) else None
    if obstacle is not None and obstacle.is_final:
        return _refuse(job, obstacle.cause, now)
    missing = missing_prerequisite(snapshot) or (obstacle.cause if obstacle else None)
    if missing:
        created = Finding(reasons.CREATED, False, missing.reason, missing.message)
        findings = (created, *suspension.over(job.status))
        return Outcome(findings=findings, requeue_after=WAIT_SECONDS)
    wait = backoff.seconds_left(job, now)
    if wait > 0:
        return Outcome(requeue_after=wait)
    if isinstance(archives, list) and archives:
        return _choose(job, archives)
    warning = package_files.news(snapshot)
    if warning:
        return Outcome(findings=(warning,), requeue_after=0.0)
    try:
        made = training_job(job, settings)
    except OverlayError as error:
        return _refuse(job, Failure(reasons.INVALID_POD_TEMPLATE, str(error)), now)
    template = made["spec"]["template"]
    forbids = refusal(job, template, snapshot.pod_security, settings)
    if forbids:
        return _refuse(job, Failure(forbids.reason, forbids.message), now)
    awaited = _await_keys(snapshot, keys, settings)
    if awaited:
        return awaited
    return Outcome(apply=(*_prerequisites(job, settings), made), events=_recreated(job))


def _choose(job: TrainingJob, archives: list[InputStatus]) -> Outcome:
    """Have the status keep which archives the inputs are, before any pod brings one."""
    shown = ", ".join(f"{one.name} is {one.uri}" for one in archives if one.uri)
    created = Finding(reasons.CREATED, False, reasons.INPUTS_CHOSEN, f"Of the inputs {shown}.")
    findings = (created, *suspension.over(job.status))
    return Outcome(findings=findings, inputs=archives, requeue_after=0.0)


def _await_keys(
    snapshot: TrainingSnapshot, live: JobView | None, settings: Settings
) -> Outcome | None:
    """Wait until the package's keys are there, before the first start; None where they are.

    Else a training of days would end in an archive that cannot be signed or encrypted.
    """
    job, wanted = snapshot.job, trust.keys_job(snapshot.job, settings)
    if wanted is None or job.status.attempt:
        return None
    over = suspension.over(job.status)
    if live is None:
        text = "The keys that spec.package names are looked for before the training starts."
        found = Finding(reasons.CREATED, False, reasons.CHECKING_KEYS, text)
        return Outcome(findings=(found, *over), apply=(wanted,))
    stale = (live.manifest["metadata"].get("labels") or {}).get(trust.NEEDED)
    if live.failed or stale != trust.needed_digest(job):
        return Outcome(delete=live.removal(), requeue_after=WAIT_SECONDS)
    if live.complete:
        return None
    problem = first_problem(live.pods) or refused(snapshot, live)
    if problem is None:
        return Outcome(requeue_after=WAIT_SECONDS)
    text = f"{problem.message} The training waits: without, its archive could not be made."
    missing = Finding(reasons.CREATED, False, problem.reason, text)
    return Outcome(findings=(missing, *over), requeue_after=WAIT_SECONDS)


def _refuse(job: TrainingJob, cause: Failure, now: datetime) -> Outcome:
    """End a job that can never be created, since what is wrong cannot change."""
    created = Finding(reasons.CREATED, False, cause.reason, cause.message)
    failed = Finding(reasons.FAILED, True, cause.reason, cause.message)
    over = suspension.over(job.status)
    return Outcome(findings=(created, *over, failed), completion_time=timestamp(now))


def missing_prerequisite(snapshot: TrainingSnapshot) -> Failure | None:
    """Return what the children need and is not there; None where they can be created."""
    gang_missing = None if snapshot.gang_served else missing_kind(snapshot.job)
    return _missing_source(snapshot) or gang_missing or _missing_store(snapshot)


def _missing_source(snapshot: TrainingSnapshot) -> Failure | None:
    spec, keys = snapshot.job.spec, snapshot.source_keys
    if spec.source_config_map is None:
        return None
    name = spec.source_config_map.name
    if keys is None:
        message = f"There is no ConfigMap {name} in the job's namespace: create it with the script."
        return Failure(reasons.SOURCE_NOT_FOUND, message)
    if spec.entrypoint is None or spec.entrypoint in keys:
        return None
    message = (
        f"The ConfigMap {name} has no key {spec.entrypoint} for spec.entrypoint; its keys: "
        f"{package_files.shown(keys)}. {'Write one of them, or add' if keys else 'Add'} the script "
        "to the ConfigMap."
    )
    return Failure(reasons.ENTRYPOINT_NOT_FOUND, message)


def _missing_store(snapshot: TrainingSnapshot) -> Failure | None:
    if snapshot.store.reachable:
        return None
    why = snapshot.store.message or "it does not answer"
    message = f"The artifact store is unavailable, so the output could not be kept: {why}"
    return Failure(reasons.STORE_UNAVAILABLE, message)


def _prerequisites(job: TrainingJob, settings: Settings) -> tuple[Manifest, ...]:
    """Return what pods cannot start without, or must not: whoever comes is to be refused."""
    secrets = store_secrets(settings.store, job.metadata.namespace)
    group = gang_object(job)
    guarded = (*secrets, *job_policy(job, settings))
    return (*guarded, group) if group else guarded


def support(job: TrainingJob, settings: Settings) -> tuple[Manifest, ...]:
    """Return what the training Job needs beside it for as long as it runs.

    The Service is not among what comes before the Job. Pods start without it, and their launchers
    wait for a name that it could give to no pod before; a Service that finds pods costs Kubernetes
    one list of endpoints, where one that waits for them costs a list for each change of a pod.
    """
    service = headless_service(job)
    before = _prerequisites(job, settings)
    return (*before, service) if service else before


def _recreated(job: TrainingJob) -> tuple[Event, ...]:
    conditions = job.status.conditions
    if not is_true(conditions, reasons.CREATED) or is_true(conditions, reasons.RESTARTING):
        return ()
    message = f"The Job {names.train_name(job)} was deleted before its end; it is created again."
    return (Event("Warning", "Recreated", message),)


def missing_kind(job: TrainingJob) -> Failure:
    """Return that the cluster lacks the kind that ``spec.gang`` needs."""
    gang = GANGS[job.spec.gang]
    message = (
        f"The cluster has no kind {gang.kind} of {gang.api_version}, which spec.gang "
        f"{job.spec.gang} needs: it comes with {gang.provider}. The job waits for it, rather than "
        "hold a part of its nodes."
    )
    return Failure(reasons.GANG_KIND_NOT_FOUND, message)
