"""Who may need what lies in the store: the objects of a namespace that name it.

They are a user's, who can make thousands of 256 KiB, all of them full of URIs: one is read at a
time, others run meanwhile, and of each only what matters is kept.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from slipway.accounts.errors import CredentialError
from slipway.api.training.job import TrainingJob
from slipway.controller.credentials import StoreSecrets
from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.removals import Removals
from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.slim import has_ended
from slipway.manifests import MODEL_DEPLOYMENT
from slipway.plan import Manifest, Reference, Removal, Target
from slipway.settings import Settings
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.objects.following import Pauses
from slipway.training.report.phase import is_finished
from slipway.training.stored.references import reference_of
from slipway.training.stored.retention import is_pending, waiting_targets

Place = Callable[[str, str], Awaitable[str]]
"""Returns the URI of a namespace's artifacts, for an object by its UID."""


class References:
    """Knows what a namespace's objects name: from the cache, or newly from the API server.

    ModelDeployments and the records of their revisions count, and TrainingJobs that have not ended:
    they may read an output as an input, and resume from a checkpoint. Of each thing that is to go
    the first object that names it is told.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        settings: Settings,
        place: Place,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._place = place
        self._clock = clock

    async def known(self, job: TrainingJob) -> tuple[Reference, ...] | None:
        """Return what others name; None where nothing of an ended job's is due to be removed.

        None too where nobody knows where the namespace's artifacts lie.
        """
        namespace, uid = job.metadata.namespace, job.metadata.uid
        ended = is_finished(job.status.conditions)
        if not ended or not is_pending(job, self._settings, self._clock()):
            return None
        try:
            settings = self._settings.at(await self._place(namespace, uid))
        except CredentialError:
            return None
        # What is due when a plan is made of it, some moments later, is among these.
        users = _Users(waiting_targets(job, settings))
        for kind in (MODEL_DEPLOYMENTS.kind, TRAINING_JOBS.kind):
            own = self._cache.of_kind(kind, namespace, ended=False)
            await users.look(_references(own, uid))
        await users.look(self._records(namespace))
        return tuple(users.found)

    async def live(self, removal: Removal) -> tuple[Reference, ...]:
        """Return what others name by the API server's word; raises UnansweredError."""
        users = _Users(removal.targets)
        for resource in (MODEL_DEPLOYMENTS, TRAINING_JOBS):
            try:
                async for page in self._client.pages(resource, removal.namespace):
                    items = ({**item, "kind": resource.kind} for item in page["items"])
                    await users.look(_references(items, removal.uid))
            except KubeError as error:
                raise UnansweredError(error.message) from error
        await users.look(self._records(removal.namespace))
        return tuple(users.found)

    def _records(self, namespace: str) -> Iterator[Reference]:
        for obj in self._cache.of_kind("ConfigMap", namespace):
            owner = (obj["metadata"].get("labels") or {}).get(MODEL_DEPLOYMENT)
            if owner:
                named = {**obj, "kind": "a revision of ModelDeployment"}
                meta = {**obj["metadata"], "name": owner}
                yield reference_of({**named, "metadata": meta})


def make_retention(
    client: Client, cache: Cache, settings: Settings, metrics: Metrics, place: Place
) -> tuple[References, Removals]:
    """Return who knows what is named, and who removes what is not."""
    references = References(client, cache, settings, place)
    held = StoreSecrets(client, settings.store.secret_name).held
    return references, Removals(settings.store, held, references.live, metrics.removed)


def _references(objects: Iterable[Manifest], uid: str) -> Iterator[Reference]:
    for obj in objects:
        over = obj["kind"] == TRAINING_JOBS.kind and has_ended(obj)
        if obj["metadata"]["uid"] != uid and not over:
            yield reference_of(obj)


class _Users:
    """Finds the first object that names each of some targets."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.found: list[Reference] = []
        self._left = list(targets)
        self._pauses = Pauses()

    async def look(self, references: Iterable[Reference]) -> None:
        """Look at what objects name, one after the other, while something is not found yet."""
        for reference in references:
            named = [target for target in self._left if reference.names(target)]
            if named:
                self.found.append(_part(reference, named))
                self._left = [target for target in self._left if target not in named]
            if not self._left:
                return
            await self._pauses.pause()


def _part(reference: Reference, targets: Sequence[Target]) -> Reference:
    """Return what of a reference names these targets, each of them once."""
    uris = (
        next((uri for uri in reference.uris if target.folder.is_named_by(uri)), None)
        for target in targets
    )
    digests = reference.digests & {target.sha256 for target in targets}
    return Reference(reference.user, frozenset(filter(None, uris)), digests, reference.unknown)
