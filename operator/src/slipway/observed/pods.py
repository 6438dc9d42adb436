"""Typed looks at pods and their containers as Kubernetes reports them, once for both kinds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from slipway.api import parse_time
from slipway.observed import condition, container_statuses
from slipway.plan import Manifest, ObjectRef

_OUTGROWN = re.compile(
    r"EmptyDir volume .* exceeds|ephemeral local storage usage exceeds|"
    r"exceeded its local ephemeral storage limit"
)
"""What a kubelet says of a pod that has written more than it may, and not of a full node.

Source: pkg/kubelet/eviction/eviction_manager.go and helpers.go of Kubernetes."""


@dataclass(frozen=True)
class ContainerView:
    """One container's status in a pod, init containers and sidecars included."""

    status: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.status["name"])

    @property
    def image_id(self) -> str:
        """What the kubelet calls the image, mostly by its digest; empty where it says nothing."""
        return str(self.status.get("imageID") or "")

    @property
    def state(self) -> Mapping[str, Any]:
        """The container's state; empty where the kubelet has not spoken yet."""
        return self.status.get("state") or {}

    @property
    def running(self) -> bool:
        """Whether the container runs now."""
        return "running" in self.state

    @property
    def ready(self) -> bool:
        """Whether the container is ready; for an init container, whether it ended well."""
        return bool(self.status.get("ready"))

    @property
    def started(self) -> bool:
        """Whether the container runs and its startup probe has succeeded."""
        return bool(self.status.get("started"))

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

    @property
    def last_end(self) -> Mapping[str, Any]:
        """How the container ended last, now or before it was started again; or empty."""
        before: Mapping[str, Any] = (self.status.get("lastState") or {}).get("terminated") or {}
        return self.terminated or before

    @property
    def restarts(self) -> int:
        """How often the kubelet has started the container again."""
        return int(self.status.get("restartCount") or 0)

    @property
    def ends(self) -> int:
        """How often the container has ended."""
        return self.restarts + (not self.running)


@dataclass(frozen=True)
class PodView:
    """One pod.

    What is read out of the manifest is kept: a plan asks each pod the same again and again.
    """

    manifest: Manifest

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The pod's UID; empty where there is none."""
        return str(self.manifest["metadata"].get("uid") or "")

    @property
    def ref(self) -> ObjectRef:
        """The pod's identity."""
        return ObjectRef.of(self.manifest)

    @property
    def node(self) -> str:
        """The node that the pod was placed on; empty before."""
        return str((self.manifest.get("spec") or {}).get("nodeName") or "")

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
        if self.due is not None:
            return self.due - int(meta.get("deletionGracePeriodSeconds") or 0)
        moment = parse_time(disruption.get("lastTransitionTime")) if self.disrupted else None
        return moment.timestamp() if moment else None

    @property
    def due(self) -> float | None:
        """When a deleted pod's grace period ends, in seconds since 1970."""
        due = parse_time(self.manifest["metadata"].get("deletionTimestamp"))
        return due.timestamp() if due else None

    @property
    def status(self) -> Mapping[str, Any]:
        """The pod's status as it is."""
        return self.manifest.get("status") or {}

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return the pod's condition of a type, or an empty mapping."""
        return condition(self.status, type_)

    @property
    def ready(self) -> bool:
        """Whether the pod says that it is ready."""
        return self.condition("Ready").get("status") == "True"

    @cached_property
    def disrupted(self) -> bool:
        """Whether the cluster, not the program, ended the pod: its Job does not count that."""
        return self.condition("DisruptionTarget").get("status") == "True"

    @property
    def outgrown(self) -> str:
        """Why the kubelet evicted a pod that wrote more than it may; empty for any other."""
        message = str(self.status.get("message") or "").strip()
        evicted = self.status.get("reason") == "Evicted"
        return message if evicted and _OUTGROWN.search(message) else ""

    @cached_property
    def containers(self) -> tuple[ContainerView, ...]:
        """The statuses of all containers, in the order in which they start."""
        return tuple(ContainerView(status) for status in container_statuses(self.status))

    def container(self, name: str) -> ContainerView:
        """Return a container; without a state where the kubelet has not spoken yet."""
        same = (container for container in self.containers if container.name == name)
        return next(same, ContainerView({"name": name}))

    def image(self, container: ContainerView) -> str:
        """Return the image that the pod asks for in a container, as it was written."""
        spec = self.manifest.get("spec") or {}
        both = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        images = (str(each.get("image") or "") for each in both if each["name"] == container.name)
        return next(images, str(container.status.get("image") or ""))
