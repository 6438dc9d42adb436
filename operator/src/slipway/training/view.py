"""Typed looks at the children that Kubernetes fills in: Jobs, Pods and their containers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.api import TrainingJob, parse_time
from slipway.manifests import COMPONENT
from slipway.observed import condition, container_statuses
from slipway.observed.start_reasons import any_waits_for_volumes
from slipway.plan import Children, Delete, Manifest, ObjectRef
from slipway.training import names

INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation with a pod's index in its Indexed Job."""


ATTEMPT = "slipway.dev/attempt"
"""Label with the number of the attempt that a Job and its pods belong to."""


@dataclass(frozen=True)
class ContainerView:
    """One container's status in a pod, init containers and sidecars included."""

    name: str
    image: str
    state: Mapping[str, Any]
    restarts: int = 0

    @property
    def running(self) -> bool:
        """Whether the container runs now."""
        return "running" in self.state

    @property
    def waiting(self) -> Mapping[str, Any]:
        """Why the container does not run yet: ``{"reason", "message"}``, or empty."""
        return self.state.get("waiting") or {}

    @property
    def terminated(self) -> Mapping[str, Any]:
        """How the container ended: ``{"exitCode", "reason", "message", ...}``, or empty."""
        return self.state.get("terminated") or {}

    @property
    def exit_code(self) -> int | None:
        """The exit code; None where the container has not ended."""
        return int(self.terminated.get("exitCode", 0)) if self.terminated else None


@dataclass(frozen=True)
class PodView:
    """One pod of a Job; ``component`` names its main container.

    What is read out of the manifest is kept: a plan asks each pod the same again and again.
    """

    manifest: Manifest
    component: str

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.manifest["metadata"]["name"])

    @cached_property
    def index(self) -> int:
        """The pod's index in its Job; 0 in a Job without indexes."""
        meta = self.manifest["metadata"]
        text = (meta.get("labels") or {}).get(INDEX) or (meta.get("annotations") or {}).get(INDEX)
        return int(text) if text and text.isdecimal() else 0

    @cached_property
    def created(self) -> str:
        """When the pod was created, RFC 3339 in UTC, so that texts sort as times."""
        return str(self.manifest["metadata"].get("creationTimestamp") or "")

    @cached_property
    def deleting(self) -> bool:
        """Whether the pod was told to go."""
        return bool(self.manifest["metadata"].get("deletionTimestamp"))

    @cached_property
    def taken_at(self) -> float | None:
        """When somebody took the pod away, in seconds since 1970; None where nobody has.

        A deletionTimestamp is the end of the grace period that begins with the deletion.
        """
        meta, disruption = self.manifest["metadata"], self.condition("DisruptionTarget")
        due = parse_time(meta.get("deletionTimestamp"))
        if due is not None:
            return due.timestamp() - int(meta.get("deletionGracePeriodSeconds") or 0)
        moment = parse_time(disruption.get("lastTransitionTime")) if self.disrupted else None
        return moment.timestamp() if moment else None

    @property
    def due(self) -> float | None:
        """When a deleted pod's grace period ends, in seconds since 1970."""
        due = parse_time(self.manifest["metadata"].get("deletionTimestamp"))
        return due.timestamp() if due else None

    @property
    def ref(self) -> ObjectRef:
        """The pod's identity."""
        return ObjectRef.of(self.manifest)

    @property
    def uid(self) -> str:
        """The pod's UID."""
        return str(self.manifest["metadata"].get("uid") or "")

    @property
    def node(self) -> str:
        """The node that the pod was placed on; empty before."""
        return str((self.manifest.get("spec") or {}).get("nodeName") or "")

    @property
    def status(self) -> Mapping[str, Any]:
        """The pod's status as it is."""
        return self.manifest.get("status") or {}

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return the pod's condition of a type, or an empty mapping."""
        return condition(self.status, type_)

    @cached_property
    def containers(self) -> tuple[ContainerView, ...]:
        """The statuses of all containers, in the order in which they start."""
        return tuple(
            ContainerView(
                one["name"],
                one.get("image") or "",
                one.get("state") or {},
                int(one.get("restartCount") or 0),
            )
            for one in container_statuses(self.status)
        )

    @cached_property
    def main(self) -> ContainerView:
        """The main container; without a state where the kubelet has not spoken yet."""
        return self.container(self.component)

    def container(self, name: str) -> ContainerView:
        """Return a container; without a state where the kubelet has not spoken yet."""
        none = ContainerView(name, "", {})
        return next((one for one in self.containers if one.name == name), none)

    @cached_property
    def ended(self) -> bool:
        """Whether the pod, or already its main container, has ended."""
        return self.status.get("phase") in ("Succeeded", "Failed") or bool(self.main.terminated)

    @cached_property
    def succeeded(self) -> bool:
        """Whether the main container ended well, even if a sidecar still stops."""
        if self.status.get("phase") == "Failed":
            return False
        return self.status.get("phase") == "Succeeded" or self.main.exit_code == 0

    @cached_property
    def failed(self) -> bool:
        """Whether the pod ended, and not well."""
        return self.ended and not self.succeeded

    @cached_property
    def disrupted(self) -> bool:
        """Whether the cluster, not the program, ended the pod: its Job does not count that."""
        return self.condition("DisruptionTarget").get("status") == "True"


@dataclass(frozen=True)
class JobView:
    """One child Job and its pods, those of an earlier Job of the same name left out.

    ``gone`` are pods as they were last seen that were deleted meanwhile.
    """

    manifest: Manifest
    pods: tuple[PodView, ...]
    gone: tuple[PodView, ...] = ()

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
        found = condition(self.status, type_)
        return found if found.get("status") == "True" else {}

    @property
    def complete(self) -> bool:
        """Whether the Job has ended well."""
        return bool(self.condition("Complete"))

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
class Look:
    """A TrainingJob's two Jobs; None where there is no such child."""

    training: JobView | None
    packaging: JobView | None


def look(job: TrainingJob, children: Children) -> Look:
    """Return the typed look at a TrainingJob's children."""
    return Look(
        training=_job(job, children, names.train_name(job), names.TRAINER),
        packaging=_job(job, children, names.package_name(job), names.PACKAGER),
    )


def _job(job: TrainingJob, children: Children, name: str, component: str) -> JobView | None:
    manifest = children.get("batch/v1", "Job", job.metadata.namespace, name)
    if manifest is None:
        return None
    uid = manifest["metadata"]["uid"]

    def views(pods: Iterable[Manifest]) -> tuple[PodView, ...]:
        mine = (PodView(pod, component) for pod in pods if _belongs(pod, uid, component))
        return tuple(sorted(mine, key=lambda pod: (pod.index, pod.created, pod.name)))

    return JobView(manifest, views(children.of_kind("Pod")), views(children.gone))


def _belongs(pod: Manifest, uid: str, component: str) -> bool:
    meta = pod["metadata"]
    owners = meta.get("ownerReferences") or ()
    labelled = (meta.get("labels") or {}).get(COMPONENT) == component
    return labelled and any(owner.get("uid") == uid for owner in owners)
