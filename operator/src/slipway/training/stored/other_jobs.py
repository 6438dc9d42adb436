"""Which archives of other TrainingJobs a job's inputs are, or why none can be brought yet.

They are chosen once, before the first pod: the status keeps where each lies and its digest, so that
every pod of every attempt gets the same bytes, whatever that job does meanwhile.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slipway.api import TrainingJob, find
from slipway.api.training.inputs import Input, InputTrainingJob
from slipway.api.training.retention import EarlierPackage
from slipway.api.training.status import InputStatus, PackageStatus
from slipway.settings import Settings
from slipway.training import reasons
from slipway.training.observed.first_failure import Failure
from slipway.training.report.phase import is_finished

Jobs = Mapping[str, TrainingJob | None]
"""TrainingJobs of a namespace, by their names; None for one that this release cannot read."""
MOST_SHOWN = 10
"""Most versions, or jobs of a circle, that a message names."""


@dataclass(frozen=True)
class Obstacle:
    """Why an input cannot be brought; ``is_final`` where no waiting can help."""

    cause: Failure
    is_final: bool = False


def chosen(job: TrainingJob, others: Jobs, settings: Settings) -> list[InputStatus] | Obstacle:
    """Return what the status is to say of the inputs; none where there is nothing to choose.

    ``others`` are the jobs that the inputs name, as far as they are there, and those that these
    wait for in turn.
    """
    found: list[InputStatus] = []
    for one in unchosen(job):
        if one.training_job is None:
            continue
        archive = _archive(job, one.name, one.training_job, others)
        if isinstance(archive, Obstacle):
            return archive
        if (taken := _takes_own_key(archive, settings, job.metadata.namespace)) is not None:
            return taken
        found.append(archive)
    return [*(job.status.inputs or ()), *found] if found else []


def unchosen(job: TrainingJob) -> list[Input]:
    """Return the inputs of other jobs of which no archive is chosen yet."""
    wanted = (one for one in job.spec.inputs if one.training_job is not None)
    return [one for one in wanted if job.pinned(one) is None]


def names(job: TrainingJob) -> Iterator[str]:
    """Yield the names of the jobs whose archives a job still waits for."""
    if not is_finished(job.status.conditions):
        yield from (one.training_job.name for one in unchosen(job) if one.training_job)


def _archive(
    job: TrainingJob, name: str, wanted: InputTrainingJob, others: Jobs
) -> InputStatus | Obstacle:
    other = others.get(wanted.name)
    if wanted.name == job.metadata.name:
        why = f"The input {name} is the job's own archive: write another TrainingJob's name."
        return Obstacle(Failure(reasons.INPUT_CIRCLE, why), is_final=True)
    if other is None and wanted.name in others:
        why = (
            f"TrainingJob {wanted.name}, whose archive is the input {name}, cannot be read: see "
            "its condition Stalled. The job waits for it."
        )
        return Obstacle(Failure(reasons.WAITING_FOR_TRAINING_JOB, why))
    if other is None:
        why = (
            f"There is no TrainingJob {wanted.name} in the namespace for the input {name}: create "
            "it. The job waits for it."
        )
        return Obstacle(Failure(reasons.TRAINING_JOB_NOT_FOUND, why))
    return _stored(name, wanted, other) or _why_none(job, name, wanted, other, others)


def _stored(name: str, wanted: InputTrainingJob, other: TrainingJob) -> InputStatus | None:
    """Return the archive that a job has stored; one that missed a gate is none."""
    version, status = wanted.model_version, other.status
    known: list[PackageStatus | EarlierPackage] = [status.package] if status.package else []
    known += [e for e in status.earlier_packages if version and not (e.rejected or e.removing)]
    for one in known:
        if version in (None, one.model_version):
            return InputStatus(
                name=name,
                sha256=one.sha256,
                uri=one.uri,
                training_job=other.metadata.name,
                training_job_uid=other.metadata.uid,
                model_version=one.model_version,
                encryption=one.encryption,
            )
    return None


def _why_none(
    job: TrainingJob, name: str, wanted: InputTrainingJob, other: TrainingJob, others: Jobs
) -> Obstacle:
    """Return why a job has no archive to bring, and whether it may yet have one."""
    who = f"TrainingJob {wanted.name}, whose archive is the input {name},"
    circle = _circle(job.metadata.name, wanted.name, others)
    if circle:
        way = " -> ".join(circle[:MOST_SHOWN])
        why = f"The job waits for itself, by its inputs: {way}. Delete one of these jobs."
        return Obstacle(Failure(reasons.INPUT_CIRCLE, why))
    rejected = other.status.rejected_package
    over = is_finished(other.status.conditions)
    if over and rejected is not None and wanted.model_version in (None, rejected.model_version):
        return _rejected(who, rejected)
    failed = find(other.status.conditions, reasons.FAILED)
    if failed is not None and failed.status == "True":
        why = f"{who} has failed ({failed.reason}) and made no such archive: see its conditions."
        return Obstacle(Failure(reasons.TRAINING_JOB_FAILED, why), is_final=True)
    if other.spec.package is None:
        why = f"{who} makes none: add spec.package to it. The job waits for it."
        return Obstacle(Failure(reasons.TRAINING_JOB_HAS_NO_PACKAGE, why))
    if over and wanted.model_version is not None:
        there = ", ".join(_versions(other)) or "no other"
        why = (
            f"{who} has none of version {wanted.model_version}, but of {there}: have it packaged "
            "as that by its spec.package. The job waits for it."
        )
        return Obstacle(Failure(reasons.MODEL_VERSION_NOT_FOUND, why))
    why = f"{who} is {other.status.phase}; the job starts once it is made."
    return Obstacle(Failure(reasons.WAITING_FOR_TRAINING_JOB, why))


def _rejected(who: str, package: PackageStatus) -> Obstacle:
    figures = "; ".join(gate.message for gate in package.missed)
    why = f"{who} made one that missed its gates, so it is not used: {figures}."
    return Obstacle(Failure(reasons.PACKAGE_REJECTED, why), is_final=True)


def _versions(other: TrainingJob) -> list[str]:
    newest, earlier = other.status.package, other.status.earlier_packages
    known = [newest.model_version] if newest else []
    known += [one.model_version for one in earlier if one.model_version and not one.rejected]
    return known[:MOST_SHOWN]


def _circle(start: str, first: str, others: Jobs) -> list[str]:
    """Return the way on which a job waits for itself, from it to it; empty where there is none."""
    way, seen = [[start, first]], {first}
    while way:
        path = way.pop()
        job = others.get(path[-1])
        for name in names(job) if job else ():
            if name == start:
                return [*path, start]
            if name not in seen:
                seen.add(name)
                way.append([*path, name])
    return []


def _takes_own_key(archive: InputStatus, settings: Settings, namespace: str) -> Obstacle | None:
    """Return a refusal of an archive whose key would be one of the operator's own Secrets."""
    if archive.encryption is None:
        return None
    secret = archive.encryption.key_secret_ref.name
    if secret not in settings.own_secrets(namespace):
        return None
    why = f"The input {archive.name}'s key is in the Secret {secret}, which is the operator's own."
    return Obstacle(Failure(reasons.SECRET_FORBIDDEN, why), is_final=True)
