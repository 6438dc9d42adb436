"""Who may need what lies in the store: the objects of a namespace that name it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

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
from slipway.plan import Manifest, Reference, Removal
from slipway.settings import Settings
from slipway.telemetry.metrics import Metrics
from slipway.training.report.phase import is_finished
from slipway.training.stored.references import reference_of
from slipway.training.stored.retention import is_pending


class References:
    """Knows what a namespace's objects name: from the cache, or newly from the API server.

    ModelDeployments and the records of their revisions count, and TrainingJobs that have not ended:
    they may read an output as an input, and resume from a checkpoint.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._clock = clock

    def known(self, job: TrainingJob) -> tuple[Reference, ...] | None:
        """Return what others name; None where nothing of an ended job's is due to be removed."""
        ended = is_finished(job.status.conditions)
        if not ended or not is_pending(job, self._settings, self._clock()):
            return None
        kinds = (MODEL_DEPLOYMENTS.kind, TRAINING_JOBS.kind)
        namespace, uid = job.metadata.namespace, job.metadata.uid
        own = (o for kind in kinds for o in self._cache.of_kind(kind, namespace, ended=False))
        return (*_references(own, uid), *self._records(namespace))

    async def live(self, removal: Removal) -> tuple[Reference, ...]:
        """Return what others name by the API server's word; raises UnansweredError."""
        found: list[Reference] = []
        for resource in (MODEL_DEPLOYMENTS, TRAINING_JOBS):
            try:
                async for page in self._client.pages(resource, removal.namespace):
                    items = ({**item, "kind": resource.kind} for item in page["items"])
                    found += _references(items, removal.uid)
            except KubeError as error:
                raise UnansweredError(error.message) from error
        return (*found, *self._records(removal.namespace))

    def _records(self, namespace: str) -> Iterator[Reference]:
        for obj in self._cache.of_kind("ConfigMap", namespace):
            owner = (obj["metadata"].get("labels") or {}).get(MODEL_DEPLOYMENT)
            if owner:
                named = {**obj, "kind": "a revision of ModelDeployment"}
                meta = {**obj["metadata"], "name": owner}
                yield reference_of({**named, "metadata": meta})


def make_retention(
    client: Client, cache: Cache, settings: Settings, metrics: Metrics
) -> tuple[References, Removals]:
    """Return who knows what is named, and who removes what is not."""
    references = References(client, cache, settings)
    held = StoreSecrets(client, settings.store.secret_name).held
    return references, Removals(settings.store, held, references.live, metrics.removed)


def _references(objects: Iterable[Manifest], uid: str) -> Iterator[Reference]:
    for obj in objects:
        over = obj["kind"] == TRAINING_JOBS.kind and has_ended(obj)
        if obj["metadata"]["uid"] != uid and not over:
            yield reference_of(obj)
