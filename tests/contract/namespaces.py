"""Namespaces of a control plane without controllers."""

from collections.abc import Mapping
from pathlib import Path

from tests.harness import Kubectl, TestControlPlane

CRDS = Path(__file__).parents[2] / "crds"


def install_kinds(kubectl: Kubectl) -> None:
    """Apply the project's kinds, and wait until they are served."""
    kubectl.apply(CRDS)
    kubectl.wait_until_established("-f", str(CRDS))


def restricted_namespace(plane: TestControlPlane, name: str) -> Kubectl:
    """Return kubectl in a namespace that takes no pod below the restricted standard."""
    install_kinds(plane.kubectl)
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    return new_namespace(plane.kubectl, name, enforced)


def new_namespace(admin: Kubectl, name: str, labels: Mapping[str, str] | None = None) -> Kubectl:
    """Return kubectl in a new namespace, with the account that pods get where none is named."""
    meta = {"name": name, "labels": dict(labels or {})}
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    kubectl = Kubectl(admin.kubeconfig, name)
    kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
    return kubectl
