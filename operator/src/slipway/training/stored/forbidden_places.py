"""Which of the URIs that a job names its namespace may have opened for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.api import TrainingJob
from slipway.api.training.source import ArchiveSource
from slipway.settings import Settings
from slipway.store import forbidden_uri
from slipway.training import reasons
from slipway.training.observed.first_failure import Failure


@dataclass(frozen=True)
class NamedUri:
    """A URI of the spec: the field that it stands in, and the Secret that opens it, if any."""

    field: str
    uri: str
    secret_name: str | None
    writes: bool = False


def forbidden_place(job: TrainingJob, settings: Settings) -> Failure | None:
    """Return why one of a job's URIs must not be opened; None where all may."""
    namespace = job.metadata.namespace
    for named in _named(job):
        why = forbidden_uri(
            settings.store, namespace, named.uri, named.secret_name, writes=named.writes
        )
        if why:
            return Failure(reasons.FORBIDDEN_URI, f"spec.{named.field}: {why}")
    return None


def forbidden_output(job: TrainingJob, uri: str, settings: Settings) -> Failure | None:
    """Return why an output must not be opened for its job's packager; None where it may.

    It lies where the training Job says that its agent was told to put it, and whoever may create
    Jobs in the namespace can have made one in the place of the operator's.
    """
    why = forbidden_uri(settings.store, job.metadata.namespace, uri, None)
    return Failure(reasons.FORBIDDEN_URI, f"The training Job's output: {why}") if why else None


def _named(job: TrainingJob) -> Iterator[NamedUri]:
    spec = job.spec
    for given in spec.inputs:
        if given.uri is not None:
            field = f"inputs[{given.name}].uri"
            yield NamedUri(field, given.uri, given.credentials_secret_name)
        elif (archive := job.pinned(given)) is not None and archive.uri:
            yield NamedUri(f"inputs[{given.name}].trainingJob", archive.uri, None)
    source = spec.fetched_source
    if isinstance(source, ArchiveSource):
        yield NamedUri("source.archive.uri", source.uri, source.credentials_secret_name)
    kept = spec.checkpoint
    if kept is not None and kept.uri is not None:
        yield NamedUri("checkpoint.uri", kept.uri, kept.credentials_secret_name, writes=True)
