"""The whole local cluster with Slipway installed, for end-to-end tests."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import release
from dev.cluster import layout
from dev.cluster.up import up
from tests.harness.audit import AuditLog, service_account
from tests.harness.kubectl import Kubectl, KubectlError, Object
from tests.harness.waiting import wait_for

OPERATOR_ACCOUNT = "slipway"
STORE_PORT = 7480


@dataclass(frozen=True)
class Cluster:
    """The local cluster, up, with the chart installed from this clone's images."""

    kubeconfig: Path

    @classmethod
    def ensure(cls) -> "Cluster":
        """Bring cluster, images and chart up to what this clone holds; quick if they are."""
        up()
        release.install_locally()
        return cls.running()

    @classmethod
    def running(cls) -> "Cluster":
        """Return the cluster as it is."""
        return cls(layout.KUBECONFIG)

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the administrator."""
        return Kubectl(self.kubeconfig)

    @property
    def system(self) -> Kubectl:
        """kubectl in the namespace that the operator and its store run in."""
        return Kubectl(self.kubeconfig, namespace=release.NAMESPACE)

    @property
    def operator_user(self) -> str:
        """The user name under which the operator appears in the audit log."""
        return service_account(release.NAMESPACE, OPERATOR_ACCOUNT)

    def audit(self) -> AuditLog:
        """Return the audit log from now on."""
        return AuditLog(layout.AUDIT_LOG)

    @contextmanager
    def store(self) -> Iterator[Any]:
        """Yield the release's store as an fsspec file system (s3), with its own credentials."""
        import fsspec

        secret = self.system.get("secret", "slipway-store-credentials") or {"data": {}}
        keys = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
        service = self.system.get("service", "slipway-store")
        if not service:
            raise LookupError(f"There is no Service slipway-store in {release.NAMESPACE}.")
        yield fsspec.filesystem(
            "s3",
            key=keys["AWS_ACCESS_KEY_ID"],
            secret=keys["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=f"http://{service['spec']['clusterIP']}:{STORE_PORT}",
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def wait_for(
        self,
        kind: str,
        name: str,
        holds: Callable[[Object], Any],
        timeout: float,
        describe: str,
        namespace: str = "default",
    ) -> Object:
        """Return the object once ``holds`` is true of it; fail with a report of its namespace.

        ``describe`` completes the sentence "Waited in vain until ...".
        """
        kubectl = Kubectl(self.kubeconfig, namespace)

        def probe() -> Object | None:
            found = kubectl.get(kind, name)
            return found if found and holds(found) else None

        return wait_for(probe, timeout, describe, lambda: report(kubectl, kind, name))


def report(kubectl: Kubectl, kind: str, name: str) -> str:
    """Return an object, and its namespace's pods, events and ends of logs, to read on failure."""
    found = kubectl.get(kind, name)
    parts = [
        f"{kind}/{name}: {json.dumps(found, indent=2) if found else 'does not exist'}",
        kubectl.run("get", "pods", "-o", "wide"),
        kubectl.run("get", "events", "--sort-by=.metadata.creationTimestamp"),
    ]
    for pod in kubectl.list("pods"):
        pod_name = pod["metadata"]["name"]
        try:
            tail = kubectl.run("logs", pod_name, "--all-containers", "--prefix", "--tail=15")
        except KubectlError as error:
            tail = str(error)
        parts.append(f"--- {pod_name}\n{tail}")
    return "\n".join(parts)
