"""Pieces of manifests that all children share: names, labels, owners, pod security."""

from typing import Any

from slipway.api.common import EnvFrom, OwnerLike, controller_reference
from slipway.plan import Manifest
from slipway.settings import Settings

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "slipway"
"""Value of the managed-by label, and the field manager of every write."""
UNREADABLE = "unreadable"
"""The only field of a spec that is too large or too deep to be read; its text says why."""
TRAINING_JOB = "slipway.dev/training-job"
MODEL_DEPLOYMENT = "slipway.dev/model-deployment"
COMPONENT = "slipway.dev/component"
REVISION = "slipway.dev/revision"
MODEL = "slipway.dev/model"
"""Label of serving pods with the name of their model, which their metrics get too."""

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""Annotation with the container that ``kubectl logs`` and ``kubectl exec`` take by themselves."""

OWNER_LABELS = {"TrainingJob": TRAINING_JOB, "ModelDeployment": MODEL_DEPLOYMENT}
"""The label that names the owner, by the owner's kind."""

USER_ID = 10001
"""User and group that every container runs as."""


def labels(owner: OwnerLike, component: str | None = None) -> dict[str, str]:
    """Return the labels of a child of ``owner``, and of the pods in it."""
    found = {
        "app.kubernetes.io/name": "slipway",
        MANAGED_BY: MANAGER,
        OWNER_LABELS[owner.kind]: owner.metadata.name,
    }
    return {**found, COMPONENT: component} if component else found


def child(
    owner: OwnerLike, api_version: str, kind: str, name: str, component: str | None = None
) -> Manifest:
    """Return the head of a child's manifest: its type, name, labels and owner."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": labels(owner, component),
            "ownerReferences": [dict(controller_reference(owner))],
        },
    }


def head_of(obj: Manifest) -> Manifest:
    """Return which object it is, and whose: all that waking whom it concerns takes.

    Who remembers this for later does not hold the object, which its user may have made large.
    """
    meta = obj["metadata"]
    named = {key: meta[key] for key in ("namespace", "name", "uid") if key in meta}
    labels = meta.get("labels") or {}
    ours = {key: labels[key] for key in OWNER_LABELS.values() if key in labels}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**named, "labels": ours},
    }


def scrape_annotations(settings: Settings, port: int) -> dict[str, str]:
    """Return the annotations by which a Prometheus without its operator finds a pod's metrics.

    They are a convention of the Prometheus community's own configuration; none where the settings
    say that PodMonitors do it.
    """
    if not settings.scrape_annotations:
        return {}
    marks = {"scrape": "true", "port": str(port), "path": "/metrics"}
    return {f"prometheus.io/{key}": value for key, value in marks.items()}


def pod_security() -> dict[str, Any]:
    """Return the pod fields that the restricted Pod Security Standard and least privilege ask for.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def container_security() -> dict[str, Any]:
    """Return the securityContext of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_command(program: str) -> list[str]:
    """Return the command that runs a program of `slipway_pods` in an image of the operator's own.

    Python's isolated mode (``-I``) keeps ``PYTHON*`` variables, which a Secret may bring, and the
    working folder, which a script may write, from saying which code is imported.
    """
    return ["python3", "-I", "-m", f"slipway_pods.{program}"]


def empty_dir(name: str, size: int | str) -> dict[str, Any]:
    """Return a volume that lives as long as its pod; beyond ``size`` the kubelet ends the pod."""
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def env_from(sources: list[EnvFrom]) -> dict[str, Any]:
    """Return the field of a container with where more variables come from; none without any."""
    return {"envFrom": [one.to_wire() for one in sources]} if sources else {}


def mount(name: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    """Return a volume mount."""
    found: dict[str, Any] = {"name": name, "mountPath": path}
    return {**found, "readOnly": True} if read_only else found


def escaped(value: str) -> str:
    """Return a value in which the kubelet expands nothing: ``$$`` stands for ``$``."""
    return value.replace("$", "$$")
