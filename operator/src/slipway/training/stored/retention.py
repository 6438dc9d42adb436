"""What of a finished job's is removed from the store, and when: never what another object names.

Three steps, each of which may be repeated: the status says that something goes, so that nobody
begins to use it; a minute later it is removed, unless something names it by then, and that is asked
of the API server itself; at last the status says that it is gone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway.api import Conditions, TrainingJob, find, parse_time, timestamp
from slipway.api.training.retention import EarlierPackage, RetentionStatus
from slipway.api.training.status import TrainingJobStatus
from slipway.plan import Event, Manifest, Reference, Removal, Removed, Target
from slipway.settings import Settings
from slipway.store import checkpoint_folder, output_folder, package_folder, store_secrets
from slipway.training import reasons

GRACE_SECONDS = 60.0
"""So long after the status has said that something goes its removal begins."""
LOOK_SECONDS = 30.0
"""How soon a removal that goes on is looked at again."""
OUTPUT, CHECKPOINTS = "the output", "the checkpoints"


@dataclass(frozen=True)
class Retained:
    """What retention adds to the plan for a finished job."""

    status: TrainingJobStatus
    apply: tuple[Manifest, ...] = ()
    removal: Removal | None = None
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None


@dataclass(frozen=True)
class _Due:
    """Something that goes at a moment, and whether the status says so already.

    ``uri`` is where it lies by the status, if that says so; ``sha256`` and ``number`` are of an
    archive.
    """

    what: str
    when: datetime
    marked: bool
    uri: str | None = None
    sha256: str = ""
    number: int = 0


def ended(job: TrainingJob) -> datetime | None:
    """Return when a job succeeded or failed; None where it has not."""
    end, conditions = parse_time(job.status.completion_time), job.status.conditions
    if end is None:
        last = find(conditions, reasons.SUCCEEDED) or find(conditions, reasons.FAILED)
        end = parse_time(last.last_transition_time) if last else None
    return end


def is_pending(job: TrainingJob, settings: Settings, now: datetime) -> bool:
    """Tell whether something of a job's is due for removal now, so that references matter."""
    return any(not due.marked and due.when <= now for due in _due(job, settings))


def waiting_targets(job: TrainingJob, settings: Settings) -> tuple[Target, ...]:
    """Return what of a job's has a time to go, come or not, and is not on its way yet."""
    return _targets(job, settings, (due for due in _due(job, settings) if not due.marked))


def retain(
    job: TrainingJob,
    status: TrainingJobStatus,
    references: Sequence[Reference] | None,
    removed: Removed | None,
    settings: Settings,
    now: datetime,
) -> Retained:
    """Return what is to be removed of an ended job's, and what its ``status`` says then.

    Nothing is decided without ``references``: None where they were not read.
    """
    known = tuple(_due(job, settings))
    waiting = [due for due in known if not due.marked]
    over = _targets(job, settings, (due for due in waiting if due.when <= now))
    users = {target.what: _user(target, references or ()) for target in over}
    fresh = [target for target in over if references is not None and users[target.what] is None]
    kept = [f"{what} is kept, as {user} names it" for what, user in users.items() if user]
    if fresh:
        noted = _marked(status, fresh, now)
        words = f"Goes from the store in a minute: {_words(fresh)}."
        said = _told(job, noted, False, reasons.REMOVING, " ".join((words, *_sentences(kept))), now)
        return Retained(said, requeue_after=GRACE_SECONDS)
    marked, going = _targets(job, settings, (due for due in known if due.marked)), status.retention
    if going is not None and not going.done and marked:
        removal = Removal(job.metadata.namespace, job.metadata.uid, going.time, marked)
        return _remove(job, status, removal, removed, settings, now)
    moments = ((due.when - now).total_seconds() for due in waiting if due.when > now)
    if kept:
        said = _told(job, status, False, reasons.IN_USE, " ".join(_sentences(kept)), now)
    else:
        said = _without_needless_word(status)
    return Retained(said, requeue_after=min(moments, default=None))


def _remove(
    job: TrainingJob,
    status: TrainingJobStatus,
    removal: Removal,
    removed: Removed | None,
    settings: Settings,
    now: datetime,
) -> Retained:
    """Follow the removal of what the status says is to go."""
    since = parse_time(removal.time) or now
    left = (since + timedelta(seconds=GRACE_SECONDS) - now).total_seconds()
    if left > 0:
        return Retained(status, requeue_after=left)
    stands = removed if removed is not None and removed.removal == removal else Removed(removal)
    if stands.complete:
        words = f"Gone from the store: {_words(removal.targets)}; "
        words += f"{stands.objects} objects, {stands.size_bytes} bytes."
        said = _told(job, _gone(status), True, reasons.REMOVED, words, now)
        done = (Event("Normal", reasons.ARTIFACTS_REMOVED, words),)
        # What is due beside it, and was kept, is told after that.
        return Retained(said, events=done, requeue_after=LOOK_SECONDS)
    apply = store_secrets(settings.store, job.metadata.namespace) if _fills(settings) else ()
    if stands.refused or stands.used:
        reason = reasons.STORE_REFUSES if stands.refused else reasons.IN_USE
        words = stands.refused or " ".join(_sentences(stands.used))
        before = find(status.conditions, reasons.ARTIFACTS_REMOVED)
        turned = before is None or before.reason != reason
        warned = (Event("Warning", reason, words),) if turned and stands.refused else ()
        said = _told(job, status, False, reason, words, now)
        return Retained(said, apply, removal, warned)
    return Retained(status, apply, removal, requeue_after=LOOK_SECONDS)


def _fills(settings: Settings) -> bool:
    """Tell whether the operator itself makes what opens the store to a namespace."""
    return settings.store.credentials in ("shared", "accounts", "sessions")


def _due(job: TrainingJob, settings: Settings) -> Iterator[_Due]:
    """Yield what has a time to go, whether that has come or not, wherever the store's place is."""
    end = ended(job)
    if end is None:
        return
    status, store, given = job.status, settings.store, job.spec.retention
    going = status.retention or RetentionStatus(time=timestamp(end))
    seconds = _first(given.output_seconds_after_finished, store.retention_output_seconds)
    if going.output or seconds is not None:
        uri = status.output.uri if status.output else None
        yield _Due(OUTPUT, end + timedelta(seconds=seconds or 0), going.output, uri)
    seconds = _first(given.checkpoints_seconds_after_finished, store.retention_checkpoints_seconds)
    own = job.spec.checkpoint is not None and job.spec.checkpoint.uri is None
    if going.checkpoints or (seconds is not None and own):
        yield _Due(CHECKPOINTS, end + timedelta(seconds=seconds or 0), going.checkpoints)
    package = job.spec.package
    versions = _first(
        package.retention.versions if package else None, store.retention_package_versions
    )
    for rank, one in _ranked(status.earlier_packages):
        if one.removing or (versions is not None and rank > versions):
            what = f"archive {one.number}"
            yield _Due(what, end, one.removing, one.uri, one.sha256, one.number)


def _ranked(earlier: Sequence[EarlierPackage]) -> Iterator[tuple[int, EarlierPackage]]:
    """Yield archives with their ranks, where the newest, which is not among them, has the first.

    Those that were rejected take no other's place.
    """
    good = 1
    for rank, one in enumerate(earlier, start=2):
        good += not one.rejected
        yield rank if one.rejected else good, one


def _targets(job: TrainingJob, settings: Settings, dues: Iterable[_Due]) -> tuple[Target, ...]:
    """Return what is to go with its folders; not what lies elsewhere than this release puts it."""
    store, targets = settings.store, []
    for due in dues:
        if due.what == OUTPUT:
            folder = output_folder(store, job)
        elif due.what == CHECKPOINTS:
            folder = checkpoint_folder(store, job)
        else:
            folder = package_folder(store, job, due.number)
        if due.uri is None or folder.is_named_by(due.uri):
            targets.append(Target(due.what, folder, due.sha256))
    return tuple(targets)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _user(target: Target, references: Sequence[Reference]) -> str | None:
    return next((reference.user for reference in references if reference.names(target)), None)


def _marked(status: TrainingJobStatus, fresh: Sequence[Target], now: datetime) -> TrainingJobStatus:
    """Return the status that says what goes, beside what it said before."""
    names, before = {target.what for target in fresh}, status.retention
    going = RetentionStatus(
        time=timestamp(now),
        output=OUTPUT in names or (before is not None and before.output),
        checkpoints=CHECKPOINTS in names or (before is not None and before.checkpoints),
    )
    packages = [
        package.model_copy(
            update={"removing": package.removing or f"archive {package.number}" in names}
        )
        for package in status.earlier_packages
    ]
    return status.model_copy(update={"retention": going, "earlier_packages": packages})


def _gone(status: TrainingJobStatus) -> TrainingJobStatus:
    """Return the status that says that what was to go is gone."""
    going = status.retention
    left = [package for package in status.earlier_packages if not package.removing]
    done = going.model_copy(update={"done": True}) if going else None
    return status.model_copy(update={"retention": done, "earlier_packages": left})


def _told(
    job: TrainingJob,
    status: TrainingJobStatus,
    value: bool,
    reason: str,
    message: str,
    now: datetime,
) -> TrainingJobStatus:
    """Return a status with the condition that tells of the removal, and all others as they are."""
    conditions = Conditions(status.conditions, now, job.metadata.generation)
    conditions.set(reasons.ARTIFACTS_REMOVED, value, reason, message)
    others = [
        condition for condition in status.conditions if condition.type != reasons.ARTIFACTS_REMOVED
    ]
    return status.model_copy(update={"conditions": [*others, *conditions.to_list()]})


def _without_needless_word(status: TrainingJobStatus) -> TrainingJobStatus:
    """Return a status that no longer says that something is in use whose time is not over."""
    word = find(status.conditions, reasons.ARTIFACTS_REMOVED)
    if word is None or word.status == "True":
        return status
    others = [condition for condition in status.conditions if condition is not word]
    return status.model_copy(update={"conditions": others})


def _words(targets: Sequence[Target]) -> str:
    return ", ".join(target.what for target in targets)


def _sentences(parts: Sequence[str]) -> list[str]:
    return [f"{part[0].upper()}{part[1:]}." for part in parts]
