"""Why a pod does not start though it should, once for the pods of both kinds.

What the scheduler and the kubelet say is put into sentences that name no pod and no time, so that
a problem that stays, or that a second pod has, is not told as a new one.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go and
.../pkg/kubelet/kuberuntime/kuberuntime_container.go
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from slipway.observed.pods import ContainerView, PodView
from slipway.plan import Manifest

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

UNSCHEDULABLE = "Unschedulable"
IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_CANNOT_START = "ContainerCannotStart"
SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"

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


@dataclass(frozen=True)
class StartProblem:
    """One of the reasons above, and a sentence on what is wrong and what to do."""

    reason: str
    message: str


def unschedulable(pod: PodView) -> StartProblem | None:
    """Return why no node can take a pod; None where the scheduler does not say so."""
    scheduled = pod.condition("PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    why = scheduled.get("message") or "the scheduler does not say why"
    return StartProblem(UNSCHEDULABLE, f"No node can take the pod: {why}")


def container_problem(pod: PodView, container: ContainerView) -> StartProblem | None:
    """Return why a container does not start; None where the kubelet does not say so."""
    kind, who = container.waiting.get("reason"), f"Container {container.name}"
    why = str(container.waiting.get("message") or "the kubelet does not say why")
    if kind in PULL_REASONS:
        text = (
            f"{who}: the image {pod.image(container)} cannot be pulled. Check its name, and that "
            "the node may pull it; the kubelet retries."
        )
        return StartProblem(IMAGE_PULL_FAILED, text)
    if kind == CONFIG_REASON:
        return _missing_problem(who, why)
    if kind in START_REASONS:
        return StartProblem(CONTAINER_CANNOT_START, f"{who} does not start: {why}")
    return None


def _missing_problem(who: str, why: str) -> StartProblem:
    missing = missing_object(why)
    if missing is None:
        return StartProblem(CONTAINER_CANNOT_START, f"{who} does not start: {why}")
    reason = SECRET_NOT_FOUND if missing.secret else CONFIG_MAP_NOT_FOUND
    text = f"{who} needs the {missing.kind} {missing.name}, or a key of it: create it ({why})."
    return StartProblem(reason, text)


def any_waits_for_volumes(pods: Iterable[Manifest]) -> bool:
    """Tell whether one of the pods has a node that has not mounted its volumes yet.

    Such a pod's status does not say that a Secret is missing: only its events do (FailedMount).
    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-has-network
    """
    return any(_waits_for_volumes(PodView(pod)) for pod in pods)


def _waits_for_volumes(pod: PodView) -> bool:
    if not pod.node or pod.deleting:
        return False
    if pod.condition("PodReadyToStartContainers").get("status") == "True":
        return False
    return pod.status.get("phase") == "Pending" and all(
        container.state.keys().isdisjoint(("running", "terminated")) for container in pod.containers
    )
