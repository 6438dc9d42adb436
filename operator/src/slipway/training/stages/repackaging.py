"""Which packaging a job is at: a changed ``spec.package`` makes another archive of the same output.

It has two steps, as a restart of the group has, so that a crash between them loses nothing: first
the status says which packaging is wanted, then the Job of an earlier one is deleted, and the wanted
one's is created when it is gone. Packagings are numbered, so that no archive is ever overwritten.
"""

import hashlib
import json

from slipway.api import TrainingJob, find
from slipway.api.training.package import Package
from slipway.api.training.status import PackagingStatus, TrainingJobStatus
from slipway.training import reasons
from slipway.training.children import trust
from slipway.training.children.packaging_job import DIGEST, LONGEST_SECONDS, NUMBER
from slipway.training.observed.first_failure import Failure
from slipway.training.observed.jobs import JobView
from slipway.training.report.phase import is_finished


def digest_of(package: Package) -> str:
    """Return 16 hexadecimal digits that stand for what a user wrote, whatever the defaults are."""
    written = package.model_dump(
        by_alias=True, exclude_defaults=True, exclude={"retention"}, mode="json"
    )
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:16]


def is_due(job: TrainingJob) -> bool:
    """Tell whether an ended job must be packaged, since its package is another than it was.

    What a release before this one packaged is taken for what the spec says; see `adopted`.
    """
    package, known = job.spec.package, job.status.packaging
    if package is None or job.status.output is None or output_goes(job):
        return False
    if find(job.status.conditions, reasons.PACKAGED) is None:
        return True
    return known is not None and known.digest != digest_of(package)


def output_goes(job: TrainingJob) -> bool:
    """Tell whether the output is removed from the store, or will be in a moment."""
    return job.status.retention is not None and job.status.retention.output


def adopted(job: TrainingJob) -> TrainingJobStatus:
    """Return an ended job's status with the record of its packaging, which 0.2.0 did not keep."""
    package, status = job.spec.package, job.status
    if package is None or status.packaging or not find(status.conditions, reasons.PACKAGED):
        return status
    generation = status.observed_generation
    known = PackagingStatus(number=1, digest=digest_of(package), generation=generation)
    facts = {"generation": generation, "config": package.server_config}
    made = status.package.model_copy(update=facts) if status.package else None
    return status.model_copy(update={"packaging": known, "package": made})


def known(job: TrainingJob, live: JobView | None) -> PackagingStatus | None:
    """Return the packaging that was asked for last, by the status or by the Job itself."""
    recorded = job.status.packaging
    labels = (live.manifest["metadata"].get("labels") or {}) if live else {}
    number = number_of(live) if live else 0
    if recorded is not None and recorded.number >= number:
        return recorded
    return PackagingStatus(number=number, digest=labels.get(DIGEST, "")) if live else None


def number_of(live: JobView) -> int:
    """Return the number of a packaging Job."""
    text = (live.manifest["metadata"].get("labels") or {}).get(NUMBER) or "1"
    return int(text) if text.isdecimal() else 1


def wanted(job: TrainingJob, package: Package, live: JobView | None) -> PackagingStatus:
    """Return the packaging that the spec asks for: the known one, or the next if it has changed."""
    before, digest = known(job, live), digest_of(package)
    ended = is_finished(job.status.conditions) or (before is not None and before.after_end)
    after_end = True if ended else None
    if before is not None and before.digest == digest:
        return before.model_copy(update={"after_end": after_end})
    same = before is not None and not before.digest
    return PackagingStatus(
        number=(before.number if before else 0) + (not same),
        digest=digest,
        generation=job.metadata.generation,
        after_end=after_end,
    )


def facts(job: TrainingJob, package: Package, packaging: PackagingStatus) -> dict[str, object]:
    """Return what the status says of an archive beside the packager's word, in wire form."""
    config, encryption = package.server_config, trust.encryption(job, package, packaging.number)
    return {
        "encryption": encryption.to_wire() if encryption else None,
        "generation": packaging.generation,
        "config": config.to_wire() if config else None,
        "number": packaging.number,
    }


def overdue(job: TrainingJob, live: JobView) -> Failure:
    """Return that a packaging took too long, with what was told of it last and the way out."""
    before = find(job.status.conditions, reasons.PACKAGED)
    last = f" {before.message}" if before else ""
    longest = live.spec.get("activeDeadlineSeconds", LONGEST_SECONDS)
    message = (
        f"It took longer than {longest} s, and was ended.{last} Change spec.package.repeat to "
        "package the output again."
    )
    return Failure(reasons.PACKAGING_DEADLINE_EXCEEDED, message)
