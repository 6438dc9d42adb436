"""Typed looks at a job's pods and their containers, as Kubernetes reports them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.api import parse_time
from slipway.observed import condition, container_statuses
from slipway.plan import Manifest, ObjectRef
from slipway.training.children.names import INDEX


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
