"""Model resolution: which archive new pods are to serve."""

from dataclasses import dataclass

from slipway.api import ModelDeployment, TrainingJob
from slipway.api.excerpt import excerpt
from slipway.api.serving.model_status import ModelStatus
from slipway.api.training.status import PackageStatus
from slipway.serving import reasons
from slipway.serving.model.earlier import promoted, runtime_of
from slipway.serving.model.rejected import age_of, figures, later_of, newer_than
from slipway.serving.model.verification import unverified
from slipway.serving.requests import requests_of
from slipway.serving.snapshot import ServingSnapshot
from slipway.settings import Settings
from slipway.store import forbidden_uri
from slipway.uris import shown


@dataclass(frozen=True)
class Resolution:
    """The archive to be served, or why there is none; ``model`` is None in the second case."""

    model: ModelStatus | None
    reason: str
    message: str


def resolve(snapshot: ServingSnapshot, settings: Settings) -> Resolution:
    """Return which archive new pods are to serve.

    What a TrainingJob made before goes on being served when the job is gone, runs anew under
    another UID or failed in that: the status remembers it. Whoever named an archive, the operator
    lends no credentials for what is not the namespace's own.
    """
    resolution = _named(snapshot)
    if resolution.model is None:
        return resolution
    namespace = snapshot.deployment.metadata.namespace
    secret = snapshot.deployment.spec.model.credentials_secret_name
    why = forbidden_uri(settings.store, namespace, resolution.model.uri, secret)
    if why:
        return Resolution(None, reasons.FORBIDDEN_URI, f"The archive's URI: {why}")
    refused = unverified(snapshot.deployment, resolution.model, settings)
    return Resolution(None, refused.reason, refused.message) if refused else resolution


def resolved_before(deployment: ModelDeployment) -> ModelStatus | None:
    """Return the archive that the spec stood for last; a status of release 0.2 has but one."""
    return deployment.status.resolved_model or deployment.status.model


def _named(snapshot: ServingSnapshot) -> Resolution:
    deployment, job = snapshot.deployment, snapshot.training_job
    back_to = requests_of(deployment).rollback_to
    if back_to is not None:
        return _gone_back(deployment, back_to)
    model = deployment.spec.model
    if model.training_job_selector is not None:
        return _newest(deployment, snapshot.selected_jobs, snapshot.rejected_job)
    if model.training_job is None:
        return _from_uri(deployment)
    package = job.status.package if job else None
    if job and package:
        resolved = _packaged(deployment, job, package)
        text = f"The package of TrainingJob {job.metadata.name} is {package.uri}."
        return Resolution(resolved, reasons.RESOLVED, f"{text}{later_of(job, package)}")
    name = model.training_job.name
    if snapshot.is_job_unread:
        text = f"TrainingJob {name} cannot be read: see its condition Stalled."
        return _without_package(deployment, name, (reasons.WAITING_FOR_TRAINING_JOB, text))
    return _without_package(deployment, name, why_there_is_none(name, job))


def _gone_back(deployment: ModelDeployment, revision: str) -> Resolution:
    """Return an earlier revision's archive; what serves stays where there is no such revision."""
    known = promoted(deployment)
    model = known.get(revision)
    if model is None:
        names = ", ".join(known) or "none"
        text = (
            f"rollout.rollbackTo is {excerpt(revision, 63)}, which is no promoted revision of "
            f"status.rollout.history: name one of these: {names}."
        )
        return Resolution(None, reasons.REVISION_NOT_FOUND, text)
    text = (
        f"By rollout.rollbackTo the archive of revision {revision}, {shown(model.uri)}, is served "
        "instead of what spec.model says: remove the field or the annotation to follow spec.model. "
        f"Of that revision the archive alone is restored. {_kept_server(deployment, revision)}"
    )
    return Resolution(model, reasons.ROLLBACK_REQUESTED, text)


def _kept_server(deployment: ModelDeployment, revision: str) -> str:
    """Return what stays of the server when an earlier revision's archive is gone back to."""
    now, then = deployment.spec.server.runtime, runtime_of(deployment, revision)
    if then is None or then == now:
        return "The server is the one of spec.server."
    return (
        f"It was served by the runtime {then}, and spec.server.runtime is {now}: write {then} "
        "there to restore the runtime too."
    )


def _packaged(deployment: ModelDeployment, job: TrainingJob, package: PackageStatus) -> ModelStatus:
    return ModelStatus(
        name=deployment.spec.model.name or package.model_name,
        uri=package.uri,
        sha256=package.sha256,
        training_job=job.metadata.name,
        training_job_uid=job.metadata.uid,
        config=job.packaged_config,
        encryption=package.encryption,
        signature_uri=package.signature_uri,
    )


def _newest(
    deployment: ModelDeployment, jobs: tuple[TrainingJob, ...], rejected: TrainingJob | None
) -> Resolution:
    """Return the newest package of the selected jobs; say if one that is newer was ``rejected``.

    What was served before is kept where only older ones are left: a job that is deleted takes
    nobody back to the model before.
    """
    previous = resolved_before(deployment)
    known = (previous.packaged_at or "") if previous else ""
    newest = max(jobs, key=age_of, default=None)
    package = newest.status.package if newest else None
    if newest is not None and package is not None and age_of(newest)[0] >= known:
        model = _packaged(deployment, newest, package)
        model = model.model_copy(update={"packaged_at": newest.status.completion_time})
        text = f"The newest package is TrainingJob {newest.metadata.name}'s, {package.uri}."
        newer = newer_than(age_of(newest), rejected)
        return Resolution(model, reasons.RESOLVED, f"{text}{newer}")
    if previous is not None and previous.packaged_at is not None:
        kept = previous.model_copy(update={"name": deployment.spec.model.name or previous.name})
        text = f"No selected TrainingJob has a newer package than {shown(previous.uri)}."
        newer = newer_than((known, previous.training_job_uid or ""), rejected)
        return Resolution(kept, reasons.KEEPING_PREVIOUS, f"{text}{newer}")
    text = (
        "No TrainingJob that spec.model.trainingJobSelector selects has a package yet; the first "
        "one is served once it is made."
    )
    return Resolution(None, reasons.WAITING_FOR_TRAINING_JOB, f"{text}{newer_than(None, rejected)}")


def _from_uri(deployment: ModelDeployment) -> Resolution:
    model = deployment.spec.model
    resolved = ModelStatus(
        name=model.name or deployment.metadata.name,
        uri=model.uri or "",
        sha256=model.sha256 or "",
        encryption=model.encryption,
    )
    return Resolution(resolved, reasons.RESOLVED, f"The archive is {shown(model.uri or '')}.")


def _without_package(deployment: ModelDeployment, name: str, why: tuple[str, str]) -> Resolution:
    reason, message = why
    previous = resolved_before(deployment)
    if previous is None or previous.training_job != name:
        return Resolution(None, reason, message)
    kept = previous.model_copy(update={"name": deployment.spec.model.name or previous.name})
    text = f"{message} Meanwhile {shown(previous.uri)}, which it made before, is served."
    return Resolution(kept, reasons.KEEPING_PREVIOUS, text)


def why_there_is_none(name: str, job: TrainingJob | None) -> tuple[str, str]:
    """Return the reason and the sentence for a TrainingJob without a package."""
    if job is None:
        text = f"There is no TrainingJob {name} in the namespace: create it, or name another one."
        return reasons.TRAINING_JOB_NOT_FOUND, text
    if job.spec.package is None:
        text = (
            f"TrainingJob {name} makes no package: name one with spec.package, which says what "
            "goes into the archive."
        )
        return reasons.TRAINING_JOB_HAS_NO_PACKAGE, text
    phase, rejected = job.status.phase, job.status.rejected_package
    if rejected is not None and phase == "Failed":
        text = f"TrainingJob {name}'s package is rejected: {figures(rejected)}."
        return reasons.PACKAGE_REJECTED, text
    if phase == "Failed":
        text = f"TrainingJob {name} failed and made no package: see its conditions."
        return reasons.TRAINING_JOB_FAILED, text
    text = f"TrainingJob {name} is {phase}; its package is served once it is made."
    return reasons.WAITING_FOR_TRAINING_JOB, text
