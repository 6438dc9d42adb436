"""What every cluster has besides its control plane: DNS, metrics, a storage class."""

import json
from pathlib import Path
from string import Template

from dev.cluster import layout
from dev.images import system
from dev.kubectl import Kubectl
from dev.shell import digest, write

MANIFESTS = Path(__file__).resolve().parent / "manifests"
FILES = ("coredns.yaml", "metrics-server.yaml", "local-path.yaml")
APPLIED = layout.STATE / "run" / "addons"
DEPLOYMENTS = ("coredns", "metrics-server", "local-path-provisioner")


kubectl = Kubectl(layout.KUBECONFIG, "kube-system")


def applied() -> bool:
    """Whether these very manifests have been applied to this cluster."""
    return APPLIED.exists() and APPLIED.read_text() == digest(_manifests())


def apply() -> None:
    """Apply the manifests unless that has been done."""
    if not applied():
        text = _manifests()
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        write(APPLIED, digest(text))


def offer_gpus() -> None:
    """Make the node offer simulated NVIDIA GPUs: they are counted, nothing is there."""
    capacity = {"status": {"capacity": {"nvidia.com/gpu": str(layout.GPUS)}}}
    kubectl("patch", "node", layout.NODE, "--subresource=status", "-p", json.dumps(capacity))


def node_ready() -> bool:
    """Whether the node is registered and ready."""
    condition = '{.status.conditions[?(@.type=="Ready")].status}'
    args = ("get", "node", layout.NODE, "--ignore-not-found", "-o", f"jsonpath={condition}")
    return kubectl(*args) == "True"


def wait_until_available(timeout: int) -> None:
    """Wait until every add-on is available."""
    names = [f"deployment/{name}" for name in DEPLOYMENTS]
    wait = ("wait", f"--timeout={timeout}s")
    kubectl(*wait, "--for=condition=Available", *names)


def wait_until_metrics(timeout: int) -> None:
    """Wait until the metrics API answers, which autoscaling by CPU needs."""
    service = "apiservice/v1beta1.metrics.k8s.io"
    kubectl("wait", f"--timeout={timeout}s", "--for=condition=Available", service)


def _manifests() -> str:
    images = system.images().values()
    references = {image.name.replace("-", "_"): image.reference for image in images}
    values = {"dns_service": layout.DNS_SERVICE, "volumes": str(layout.VOLUMES), **references}
    texts = [Template((MANIFESTS / name).read_text()).substitute(values) for name in FILES]
    return "---\n".join(texts)
