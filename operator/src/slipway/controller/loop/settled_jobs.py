"""The Jobs of TrainingJobs that had succeeded when Jobs were listed, and that go on again.

Such Jobs are not listed, since no plan reads them: not before the package changes, so that the
output is packaged anew, or the Jobs are no longer to be kept.
"""

from slipway.api.training.job import TrainingJob
from slipway.controller.namespaces import Reader
from slipway.kube.resources import JOBS
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.slim import is_settled
from slipway.plan import Manifest, ObjectRef
from slipway.training.children.names import package_name, train_name
from slipway.training.stages.repackaging import is_due


class SettledJobs:
    """Reads the Jobs that were left out, once for each TrainingJob that needs them."""

    def __init__(self, reader: Reader, cache: Cache) -> None:
        self._reader = reader
        self._cache = cache

    async def read(self, job: TrainingJob, raw: Manifest) -> None:
        """Have the cache know the Jobs of a TrainingJob if a plan may read them."""
        ref = ObjectRef.of(raw)
        if not self._cache.lacks_jobs(ref) or (is_settled(raw) and not is_due(job)):
            return
        names = (train_name(job), package_name(job))
        (kind,) = JOBS
        refs = [ObjectRef(kind.api_version, kind.kind, ref.namespace, name) for name in names]
        found = [await self._reader.get(one) for one in refs]
        self._cache.feed_jobs(ref, filter(None, found))
