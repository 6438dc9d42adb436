"""Archives that missed a gate, as a ModelDeployment tells of them that serves an earlier one."""

from slipway.api import TrainingJob
from slipway.api.training.status import PackageStatus


def figures(package: PackageStatus) -> str:
    """Return what a rejected archive missed, with the figures."""
    return "; ".join(gate.message for gate in package.missed)


def later_of(job: TrainingJob, package: PackageStatus) -> str:
    """Return that a job's later archive was rejected, after a space; empty where none was."""
    rejected = job.status.rejected_package
    if rejected is None:
        return ""
    return (
        f" That is version {package.model_version}; version {rejected.model_version}, packaged "
        f"later, was rejected by its gates: {figures(rejected)}."
    )


def newer_than(age: tuple[str, str] | None, rejected: TrainingJob | None) -> str:
    """Return that a selected job's newer archive was rejected, after a space; empty for none.

    ``age`` is when what is served was complete, with its job's UID; None where nothing is served.
    """
    package = rejected.status.rejected_package if rejected else None
    if rejected is None or package is None or (age is not None and age_of(rejected) <= age):
        return ""
    return (
        f" The newer one of TrainingJob {rejected.metadata.name}, version "
        f"{package.model_version}, was rejected by its gates: {figures(package)}."
    )


def age_of(job: TrainingJob) -> tuple[str, str]:
    """Return when a job was complete (RFC 3339 in UTC, which sorts as text), then its UID."""
    return job.status.completion_time or job.metadata.creation_timestamp, job.metadata.uid
