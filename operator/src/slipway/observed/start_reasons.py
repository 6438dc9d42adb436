"""Why a kubelet says that a container does not start, once for the pods of both kinds.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go and
.../pkg/kubelet/kuberuntime/kuberuntime_container.go
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.observed import condition, container_statuses

PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Reasons of a container that waits for its image."""
START_REASONS = frozenset({"CreateContainerError", "RunContainerError", "StartError"})
"""Reasons of a container that the node cannot start."""
CONFIG_REASON = "CreateContainerConfigError"
"""Reason of a container whose Secret or ConfigMap is missing, or that asks for what cannot be."""

_MISSING = re.compile(
    r'\b(?:(secret|configmap) "([^"]+)" not found|in (secret|configmap) ([^ ]+))', re.IGNORECASE
)


@dataclass(frozen=True)
class MissingObject:
    """What a container waits for: a Secret, or else a ConfigMap, by its name."""

    secret: bool
    name: str

    @property
    def kind(self) -> str:
        """The object's kind."""
        return "Secret" if self.secret else "ConfigMap"


def missing_object(message: str) -> MissingObject | None:
    """Return what a kubelet's message of a `CONFIG_REASON` says is missing; None for others.

    The messages are ``secret "NAME" not found`` and ``couldn't find key KEY in ConfigMap
    NAMESPACE/NAME``: the kind is the word there, whatever the object is called.
    """
    match = _MISSING.search(message)
    if match is None:
        return None
    kind, name = match[1] or match[3], match[2] or match[4]
    return MissingObject(kind.lower() == "secret", name.rpartition("/")[2])


def any_waits_for_volumes(pods: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether one of the pods has a node that has not mounted its volumes yet.

    Such a pod's status does not say that a Secret is missing: only its events do (FailedMount).
    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-has-network
    """
    return any(_waits_for_volumes(pod) for pod in pods)


def _waits_for_volumes(pod: Mapping[str, Any]) -> bool:
    status = pod.get("status") or {}
    placed = bool((pod.get("spec") or {}).get("nodeName"))
    if not placed or pod["metadata"].get("deletionTimestamp"):
        return False
    if condition(status, "PodReadyToStartContainers").get("status") == "True":
        return False
    states = (one.get("state") or {} for one in container_statuses(status))
    return status.get("phase") == "Pending" and all(
        state.keys().isdisjoint(("running", "terminated")) for state in states
    )
