"""Namespaces of a control plane without controllers."""

from pathlib import Path

from tests.harness import Kubectl, TestControlPlane

CRDS = Path(__file__).parents[2] / "crds"


def install_kinds(kubectl: Kubectl) -> None:
    """Apply the project's kinds, and wait until they are served."""
    kubectl.apply(CRDS)
    kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))


def restricted_namespace(plane: TestControlPlane, name: str) -> Kubectl:
    """Return kubectl in a namespace that takes no pod below the restricted standard."""
    admin = plane.kubectl
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    meta = {"name": name, "labels": labels}
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    kubectl = Kubectl(admin.kubeconfig, name)
    kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
    install_kinds(kubectl)
    return kubectl
