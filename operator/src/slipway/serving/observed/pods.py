"""Typed looks at serving pods as Kubernetes reports them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.manifests import COMPONENT
from slipway.observed import condition, container_statuses
from slipway.observed.last_words import json_object
from slipway.plan import Children, Manifest
from slipway.serving.children import names
from slipway.serving.children.config_maps import revision_label
from slipway.uris import scrubbed

TAIL_LINES = 20
TAIL_CHARACTERS = 2000


@dataclass(frozen=True)
class ContainerView:
    """One container's status in a pod, init containers and sidecars included."""

    status: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.status["name"])

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
        return (self.status.get("state") or {}).get("waiting") or {}

    @property
    def last_end(self) -> Mapping[str, Any]:
        """How the container ended last, now or before it was started again; or empty."""
        for field in ("state", "lastState"):
            found: Mapping[str, Any] = (self.status.get(field) or {}).get("terminated") or {}
            if found:
                return found
        return {}


@dataclass(frozen=True)
class PodView:
    """One serving pod."""

    manifest: Manifest

    @property
    def uid(self) -> str:
        """The pod's UID; empty where there is none."""
        return str(self.manifest["metadata"].get("uid") or "")

    @property
    def images(self) -> dict[str, str]:
        """The containers' images by the containers' names."""
        spec = self.manifest.get("spec") or {}
        both = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        return {one["name"]: str(one.get("image") or "") for one in both}

    @property
    def containers(self) -> tuple[ContainerView, ...]:
        """The statuses of all containers, in the order in which they start."""
        found = container_statuses(self.manifest.get("status") or {})
        return tuple(ContainerView(one) for one in found)

    @property
    def ready(self) -> bool:
        """Whether the pod says that it is ready."""
        return self.condition("Ready").get("status") == "True"

    def failed_starts(self, name: str) -> int:
        """Return how often a container of that name has ended."""
        found = next((one.status for one in self.containers if one.name == name), {})
        ended_now = "running" not in (found.get("state") or {})
        return int(found.get("restartCount") or 0) + ended_now

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return the pod's condition of a type, or an empty mapping."""
        return condition(self.manifest.get("status") or {}, type_)


def pods_of(children: Children, revision: str) -> tuple[PodView, ...]:
    """Return the pods of a revision that have not been told to go, by name."""
    return tuple(pod for pod in serving_pods(children) if revision_label(pod.manifest) == revision)


def serving_pods(children: Children) -> tuple[PodView, ...]:
    """Return the pods of all revisions that have not been told to go, by name."""
    return tuple(
        PodView(pod)
        for pod in children.of_kind("Pod")
        if (pod["metadata"].get("labels") or {}).get(COMPONENT) == names.SERVER
        and not pod["metadata"].get("deletionTimestamp")
    )


def last_word(end: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a termination message that is a JSON object; empty for anything else."""
    return json_object(str(end.get("message") or ""))


def log_tail(end: Mapping[str, Any]) -> str:
    """Return the last lines of a container's log, as the termination message has them.

    TorchServe's log is one JSON object a line; their messages and exceptions are what is kept. The
    kubelet may have cut the first line.
    """
    raw = str(end.get("message") or "").splitlines()
    lines = [line for each in raw for line in _plain(each).splitlines() if line.strip()]
    # A URI that was cut first could not be told from other text.
    return scrubbed("\n".join(lines[-TAIL_LINES:]))[-TAIL_CHARACTERS:].strip()


def _plain(line: str) -> str:
    found = json_object(line)
    if "message" not in found:
        return line
    return "\n".join(str(found.get(key) or "") for key in ("message", "exception"))
