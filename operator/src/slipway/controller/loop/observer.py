"""Observing: one frozen snapshot of an object and what its plan depends on."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from cachetools import TLRUCache
from pydantic import ValidationError

from slipway.api import is_true
from slipway.api.common import OwnerLike
from slipway.api.fields.pod_template import PodTemplate
from slipway.api.serving.deployment import ModelDeployment, ModelDeploymentStatus
from slipway.api.training.job import TrainingJob
from slipway.api.training.status import Progress
from slipway.controller.loop.parse import parse_or_none
from slipway.controller.loop.refusals import Refused
from slipway.controller.namespaces import Reader
from slipway.controller.readers.asking.questions import Newest
from slipway.controller.readers.rollout_traffic import LOOK_SECONDS
from slipway.controller.readers.training_progress import ProgressReader, first_pod
from slipway.gangs import GANGS
from slipway.kube.resources import CONFIG_MAPS, MODEL_DEPLOYMENTS, TRAINING_JOBS
from slipway.kube.watched.cache import Cache
from slipway.plan import Children, Manifest, ObjectRef, Reference, Removed, StoreState
from slipway.pods.standard import ENFORCE
from slipway.serving.analysis.traffic import Traffic
from slipway.serving.model.earlier import stable
from slipway.serving.observed.deaths import Death
from slipway.serving.snapshot import ServingSnapshot, Turns
from slipway.settings import VERIFICATION
from slipway.training.children.gates import Served
from slipway.training.children.names import keys_name
from slipway.training.reasons import PACKAGE_FILES_MISSING
from slipway.training.report.phase import is_finished
from slipway.training.snapshot import Silence, TrainingSnapshot
from slipway.training.stored import other_jobs

_NOBODY: Newest[Progress | None] = Newest(age=0.0)
_MOST_OTHER_JOBS = 64
"""Most jobs that are read to tell what a job's inputs wait for."""
_FOUND_SECONDS, _MISSING_SECONDS = 5.0, 2.0
_MOST_KEYS = 1 << 16
"""How many keys of ConfigMaps are remembered in all: one ConfigMap may have as many."""


Keys = frozenset[str] | None
"""The keys of a ConfigMap; None where there is none."""


class ConfigMapKeys:
    """The keys of users' ConfigMaps, which are read when asked for and remembered shortly."""

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._known: TLRUCache[ObjectRef, tuple[Keys]] = TLRUCache(
            _MOST_KEYS, _until, timer=clock, getsizeof=_size
        )

    async def keys(self, namespace: str, name: str) -> Keys:
        """Return the keys of a ConfigMap, or None where there is no such ConfigMap."""
        ref = ObjectRef(CONFIG_MAPS.api_version, CONFIG_MAPS.kind, namespace, name)
        known = self._known.get(ref)
        if known is not None:
            return known[0]
        found = await self._reader.get(ref)
        keys = None
        if found is not None:
            keys = frozenset(found.get("data") or {}) | frozenset(found.get("binaryData") or {})
        if _size((keys,)) <= _MOST_KEYS:
            self._known[ref] = (keys,)
        return keys


def _until(_: ObjectRef, known: tuple[Keys], now: float) -> float:
    return now + (_MISSING_SECONDS if known[0] is None else _FOUND_SECONDS)


def _size(known: tuple[Keys]) -> int:
    return 1 + len(known[0] or ())


@dataclass(frozen=True)
class Observation:
    """A snapshot, and in how many seconds it is worth another look whatever happens."""

    snapshot: Any
    revisit: float | None = None


class Observer:
    """Takes the snapshots of both kinds."""

    def __init__(
        self,
        cache: Cache,
        config_maps: ConfigMapKeys,
        store: Callable[[], Awaitable[StoreState]],
        progress: ProgressReader,
        interval: float,
        serves: Callable[[str, str], Awaitable[bool]],
        traffic: Callable[[ModelDeployment, Manifest, Children], Traffic | None],
        deaths: Callable[[ModelDeployment, Manifest, Children], dict[str, Death]],
        label: Callable[[str, str], Awaitable[str | None]],
        refused: Callable[[Children], Awaitable[Refused]],
        references: Callable[[TrainingJob], Awaitable[tuple[Reference, ...] | None]],
        removed: Callable[[str], Removed | None],
        read_settled: Callable[[TrainingJob, Manifest], Awaitable[None]],
    ) -> None:
        self._cache = cache
        self._read_settled = read_settled
        self._references = references
        self._removed = removed
        self._serves = serves
        self._traffic = traffic
        self._deaths = deaths
        self._label = label
        self._refused = refused
        self._config_maps = config_maps
        self._store = store
        self._progress = progress
        self._interval = interval

    async def training(self, job: TrainingJob, raw: Manifest) -> Observation:
        """Return the snapshot of a TrainingJob."""
        await self._read_settled(job, raw)
        references = await self._references(job)
        children = self._cache.children(raw)
        source, keys = job.spec.source_config_map, None
        asked = source is not None and may_need_source(job, children)
        if source is not None and asked:
            keys = await self._config_maps.keys(job.metadata.namespace, source.name)
        pod = first_pod(children)
        newest = self._progress.read(pod) if pod else _NOBODY
        name = pod["metadata"]["name"] if pod else ""
        refused = await self._refused(children)
        snapshot = TrainingSnapshot(
            job=job,
            children=children,
            source_keys=keys,
            source_gone=asked and keys is None,
            store=await self._store(),
            gang_served=await self._gang_is_served(job, children),
            pod_security=await self._enforced(job, job.spec.pod_template),
            other_jobs=self._other_jobs(job),
            refused=refused.sentences,
            progress=newest.value,
            progress_age=newest.age,
            silence=Silence(name, newest.silent_seconds, newest.error) if newest.error else None,
            references=references,
            removed=self._removed(job.metadata.uid),
            served=self._compared(job),
        )
        moments = (self._interval if pod else None, refused.again)
        return Observation(snapshot, min((one for one in moments if one), default=None))

    def _other_jobs(self, job: TrainingJob) -> dict[str, TrainingJob | None]:
        """Return the jobs whose archives a job waits for, and those that these wait for."""
        found: dict[str, TrainingJob | None] = {}
        asked = deque(other_jobs.names(job))
        while asked and len(found) < _MOST_OTHER_JOBS:
            name = asked.popleft()
            raw = None if name in found else self._raw_job(job.metadata.namespace, name)
            if raw is not None:
                found[name] = other = parse_or_none(TrainingJob, raw)
                asked.extend(other_jobs.names(other) if other else ())
        return found

    def _raw_job(self, namespace: str, name: str) -> Manifest | None:
        kind = TRAINING_JOBS
        return self._cache.get(ObjectRef(kind.api_version, kind.kind, namespace, name))

    def _compared(self, job: TrainingJob) -> Served | None:
        """Return the archive that a job's package is compared with; None where nothing serves.

        A status that cannot be read tells of no archive, which is not taken for none that serves.
        """
        with_ = job.spec.package.compared_with if job.spec.package else None
        if with_ is None:
            return None
        kind = MODEL_DEPLOYMENTS
        ref = ObjectRef(kind.api_version, kind.kind, job.metadata.namespace, with_.name)
        raw = self._cache.get(ref) or {}
        try:
            status = ModelDeploymentStatus.model_validate(raw.get("status") or {})
        except ValidationError:
            return Served()
        serves, model = stable(status)
        if not serves:
            return None
        return Served(model.uri, model.sha256) if model else Served()

    async def _gang_is_served(self, job: TrainingJob, children: Children) -> bool:
        """Tell whether the kind of a job's gang is there; it matters while there is no Job."""
        gang = GANGS.get(job.spec.gang)
        if gang is None or _has_begun(job, children):
            return True
        return await self._serves(gang.api_version, gang.kind)

    async def _enforced(self, owner: OwnerLike, overlay: PodTemplate | None) -> str | None:
        """Return the Pod Security level of an object's namespace, where it may matter."""
        return None if overlay is None else await self._label(owner.metadata.namespace, ENFORCE)

    async def serving(self, deployment: ModelDeployment, raw: Manifest) -> Observation:
        """Return the snapshot of a ModelDeployment."""
        children = self._cache.children(raw)
        traffic = self._traffic(deployment, raw, children)
        named = self._named_job(deployment)
        job = parse_or_none(TrainingJob, named) if named else None
        snapshot = ServingSnapshot(
            deployment=deployment,
            children=children,
            training_job=job,
            is_job_unread=named is not None and job is None,
            selected_jobs=tuple(self._selected_jobs(deployment)),
            rejected_job=next(self._selected_jobs(deployment, rejected=True), None),
            store=await self._store(),
            traffic=traffic,
            pod_security=await self._enforced(deployment, deployment.spec.pod_template),
            verification=await self._label(deployment.metadata.namespace, VERIFICATION),
            turns=Turns(*self._cache.turns.before(ObjectRef.of(raw))),
            deaths=self._deaths(deployment, raw, children),
        )
        return Observation(snapshot, None if traffic is None else LOOK_SECONDS)

    def _named_job(self, deployment: ModelDeployment) -> Manifest | None:
        """Return the TrainingJob that a deployment names, if it is there."""
        reference = deployment.spec.model.training_job
        if reference is None:
            return None
        return self._raw_job(deployment.metadata.namespace, reference.name)

    def _selected_jobs(
        self, deployment: ModelDeployment, *, rejected: bool = False
    ) -> Iterator[TrainingJob]:
        """Yield the selected job with the newest package, or the one that was rejected last."""
        selector = deployment.spec.model.training_job_selector
        if selector is None:
            return
        known, namespace = self._cache.packages, deployment.metadata.namespace
        for ref in known.newest(namespace, selector.holds, rejected=rejected):
            raw = self._cache.get(ref)
            job = parse_or_none(TrainingJob, raw) if raw else None
            if job and (job.status.rejected_package if rejected else job.status.package):
                yield job
                return


class ServingPods:
    """The ModelDeployments and their pods, each as it is when it is read."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def namespaces(self) -> Collection[str]:
        """Return the namespaces that have ModelDeployments."""
        return self._cache.namespaces(MODEL_DEPLOYMENTS.kind)

    def deployments(self, namespace: str) -> tuple[ObjectRef, ...]:
        """Return the ModelDeployments of a namespace."""
        return self._cache.refs(MODEL_DEPLOYMENTS.kind, namespace)

    def read(self, ref: ObjectRef) -> tuple[Manifest, Children] | None:
        """Return a ModelDeployment with its pods; None if it is gone, or they do not fit."""
        raw = self._cache.get(ref)
        fits = raw is not None and self._cache.fits_at_once(ref)
        return (raw, self._cache.children(raw, "Pod")) if raw and fits else None

    def pod(self, ref: ObjectRef) -> Manifest | None:
        """Return a pod; None if it is gone."""
        return self._cache.get(ref)


def may_need_source(job: TrainingJob, children: Children) -> bool:
    """Tell whether pods are still to be made, or wait to start, and so need their source.

    Of a job that has ended none are made any more, nor while it is suspended; a pod without a node
    does not look for it yet. What a package needs of it is asked for until it is there.
    """
    if is_finished(job.status.conditions):
        return False
    if is_true(job.status.conditions, PACKAGE_FILES_MISSING):
        return True
    if not _has_begun(job, children):
        return not job.spec.suspend
    return any(_waits_on_a_node(pod) for pod in children.of_kind("Pod"))


def _has_begun(job: TrainingJob, children: Children) -> bool:
    """Tell whether there is a Job that trains or packages: the one before waits for keys."""
    return any(one["metadata"]["name"] != keys_name(job) for one in children.of_kind("Job"))


def _waits_on_a_node(pod: Manifest) -> bool:
    placed = (pod.get("spec") or {}).get("nodeName")
    return bool(placed) and (pod.get("status") or {}).get("phase") == "Pending"
