"""Kueue beside a simulated cluster: its own controllers, webhooks, account and rights."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from dev import gotools
from dev.cluster.daemon import Daemon
from dev.shell import run
from tests.harness.control_plane import TestControlPlane
from tests.harness.kubectl import Kubectl, Object
from tests.harness.ports import free_ports
from tests.harness.programs import running, wait_for_program

NAMESPACE = "kueue-system"
_ACCOUNT = "kueue-controller-manager"
_SERVICE = "kueue-webhook-service"
_SECRET = "kueue-webhook-server-cert"
_LEFT_OUT = ("APIService", "ConfigMap", "Deployment", "Service")
"""What only pods of its own need."""


@contextmanager
def kueue(cluster: TestControlPlane) -> Iterator[None]:
    """Install Kueue, as its own manifests have it, and run its manager until the block ends.

    The manager is a process of this machine instead of a pod: the API server calls its webhooks
    on loopback, under the name that its certificate has.
    """
    gotools.ensure(["kueue"])
    webhooks, health = free_ports(2)
    kubectl = Kubectl(cluster.kubeconfig, NAMESPACE)
    manifests = [one for one in _manifests() if one["kind"] not in _LEFT_OUT]
    kubectl.apply([*(_answered_at(webhooks, one) for one in manifests), _service(webhooks)])
    folder = cluster.plane.state / "kueue"
    command = _command(cluster, folder, webhooks, health)
    with running(Daemon("kueue", command, cluster.plane.state)) as manager:
        _bring_certificate(kubectl, manager, folder)
        wait_for_program(manager, lambda: _ready(health), 120, "Kueue is ready")
        yield


def _manifests() -> list[Object]:
    """Return what ``kubectl apply`` of the release would bring."""
    folder = gotools.unpacked("kueue", "sigs.k8s.io/kueue") / "config" / "default"
    text = run(gotools.path("kubectl"), "kustomize", folder)
    return list(yaml.load_all(text, yaml.CSafeLoader))


def _answered_at(port: int, manifest: Object) -> Object:
    """Return a manifest whose webhooks are called at a port of the Service."""
    webhooks = list(manifest.get("webhooks", ()))
    if conversion := manifest.get("spec", {}).get("conversion"):
        webhooks.append(conversion["webhook"])
    for webhook in webhooks:
        webhook["clientConfig"]["service"]["port"] = port
    return manifest


def _service(port: int) -> Object:
    """Return the webhooks' Service, which is another name for this machine."""
    ports = [{"port": port, "protocol": "TCP"}]
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": ports}
    meta = {"name": _SERVICE, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _command(
    cluster: TestControlPlane, folder: Path, webhooks: int, health: int
) -> tuple[str, ...]:
    folder.mkdir()
    path = folder / "configuration.yaml"
    path.write_text(json.dumps(_configuration(folder, webhooks, health)))
    kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, _ACCOUNT)
    return (str(gotools.path("kueue")), f"--config={path}", f"--kubeconfig={kubeconfig}")


def _configuration(folder: Path, webhooks: int, health: int) -> dict[str, Any]:
    """Return the manager's configuration: Jobs alone, on loopback alone."""
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "namespace": NAMESPACE,
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"host": "127.0.0.1", "port": webhooks, "certDir": str(folder / "certificate")},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {
            "enable": True,
            "webhookServiceName": _SERVICE,
            "webhookSecretName": _SECRET,
        },
        "integrations": {"frameworks": ["batch/job"]},
        "featureGates": {"VisibilityOnDemand": False},
    }


def _bring_certificate(kubectl: Kubectl, manager: Daemon, folder: Path) -> None:
    """Put the certificate that Kueue keeps in a Secret where its pod would have it mounted."""

    def written() -> dict[str, str] | None:
        return (kubectl.get("secret", _SECRET) or {}).get("data")

    data = wait_for_program(manager, written, 120, "Kueue has its certificate")
    part = folder / "certificate.part"
    part.mkdir()
    for name, content in data.items():
        (part / name).write_bytes(base64.b64decode(content))
    part.rename(folder / "certificate")


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
