"""Typed looks at the children that Kubernetes fills in: Jobs, Pods and their containers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import COMPONENT
from slipway.observed import condition
from slipway.observed.start_problems import any_waits_for_volumes
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.training.children import names
from slipway.training.children.names import ATTEMPT
from slipway.training.observed.pods import JobPod


@dataclass(frozen=True)
class JobView:
    """One child Job and its pods, those of an earlier Job of the same name left out.

    ``gone`` are pods as they were last seen that were deleted meanwhile.
    """

    manifest: Manifest
    pods: tuple[JobPod, ...]
    gone: tuple[JobPod, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """The Job's identity."""
        meta = self.manifest["metadata"]
        return ObjectRef("batch/v1", "Job", meta["namespace"], meta["name"])

    @property
    def uid(self) -> str:
        """The Job's UID."""
        return str(self.manifest["metadata"]["uid"])

    @property
    def spec(self) -> Mapping[str, Any]:
        """The Job's spec."""
        return self.manifest.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        """The Job's status."""
        return self.manifest.get("status") or {}

    @cached_property
    def deleting(self) -> bool:
        """Whether the Job was told to go."""
        return bool(self.manifest["metadata"].get("deletionTimestamp"))

    @property
    def waits_for_volumes(self) -> bool:
        """Whether one of the pods has a node that has not mounted its volumes yet."""
        return any_waits_for_volumes(pod.manifest for pod in self.pods)

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return the Job's condition of a type if it is true, else an empty mapping."""
        reported = condition(self.status, type_)
        return reported if reported.get("status") == "True" else {}

    @cached_property
    def complete(self) -> bool:
        """Whether the Job has ended well, or will have, since a pod of each index has.

        The Job controller counts pods in two rounds, and says so one to three seconds later.
        """
        return bool(self.condition("Complete")) or self._each_index_ended_well

    @property
    def _each_index_ended_well(self) -> bool:
        if self.deleting or self.failing or self.spec.get("suspend"):
            return False
        well = {pod.index for pod in self.pods if pod.status.get("phase") == "Succeeded"}
        return well >= set(range(self.spec.get("completions") or 1))

    @cached_property
    def failed(self) -> bool:
        """Whether the Job has ended, and not well."""
        return bool(self.condition("Failed"))

    @property
    def failing(self) -> bool:
        """Whether the Job has failed, or will have when its pods are gone."""
        return self.failed or bool(self.condition("FailureTarget"))

    @property
    def attempt(self) -> int:
        """Which attempt of the group the Job is."""
        text = (self.manifest["metadata"].get("labels") or {}).get(ATTEMPT) or "0"
        return int(text) if text.isdecimal() else 0

    @property
    def idle(self) -> bool:
        """Whether no pod of the Job is left that has not ended."""
        return all(pod.ended for pod in self.pods)

    @property
    def finished(self) -> bool:
        """Whether the Job has ended."""
        return self.complete or self.failed

    @property
    def suspended(self) -> bool:
        """Whether the Job controller has put the suspension into effect."""
        return bool(self.condition("Suspended"))

    def removal(self) -> tuple[Delete, ...]:
        """Return the deletion of the Job, whose object stays until its pods are gone."""
        return () if self.deleting else (Delete(self.ref, self.uid, foreground=True),)

    def count(self, field: str) -> int:
        """Return one of the Job's counts of pods, such as ``succeeded``."""
        return int(self.status.get(field) or 0)

    @property
    def had_pods(self) -> bool:
        """Whether a pod of the Job is known, now or before."""
        ended = self.status.get("uncountedTerminatedPods") or {}
        counted = ("active", "ready", "succeeded", "failed", "terminating")
        return bool(self.pods or self.gone or ended) or any(map(self.count, counted))

    @cached_property
    def completed_indexes(self) -> frozenset[int]:
        """The indexes that ended well: ``status.completedIndexes``, such as ``1,3-5``."""
        text = str(self.status.get("completedIndexes") or "")
        return frozenset(index for part in text.split(",") if part for index in _span(part))


def _span(text: str) -> Iterator[int]:
    first, _, last = text.partition("-")
    yield from range(int(first), int(last or first) + 1)


@dataclass(frozen=True)
class ObservedJobs:
    """A TrainingJob's Jobs; None where there is no such child.

    ``keys`` is the one that waits for the package's keys before the training.
    """

    training: JobView | None
    packaging: JobView | None
    keys: JobView | None = None


def observed_jobs(job: TrainingJob, children: Children) -> ObservedJobs:
    """Return the typed look at a TrainingJob's children."""
    return ObservedJobs(
        training=_job(job, children, names.train_name(job), names.TRAINER),
        packaging=_job(job, children, names.package_name(job), names.PACKAGER),
        keys=_job(job, children, names.keys_name(job), names.KEYS),
    )


def _job(job: TrainingJob, children: Children, name: str, component: str) -> JobView | None:
    manifest = children.get("batch/v1", "Job", job.metadata.namespace, name)
    if manifest is None:
        return None
    uid = manifest["metadata"]["uid"]

    def views(pods: Iterable[Manifest]) -> tuple[JobPod, ...]:
        mine = (JobPod(pod, component) for pod in pods if _belongs(pod, uid, component))
        return tuple(sorted(mine, key=lambda pod: (pod.index, pod.created, pod.name)))

    return JobView(manifest, views(children.of_kind("Pod")), views(children.gone))


def _belongs(pod: Manifest, uid: str, component: str) -> bool:
    meta = pod["metadata"]
    owners = meta.get("ownerReferences") or ()
    labelled = (meta.get("labels") or {}).get(COMPONENT) == component
    return labelled and any(owner.get("uid") == uid for owner in owners)


def failures(live: JobView) -> int:
    """Return how many pods have failed by the Job's own count, or by what is seen of them."""
    seen = sum(pod.failed and not pod.disrupted for pod in live.pods)
    return max(live.count("failed"), seen)


def attempt_of(job: TrainingJob, live: JobView | None) -> int:
    """Return the attempt that is wanted; a status that was lost takes it from the Job."""
    return max(job.status.attempt, live.attempt if live else 0)
