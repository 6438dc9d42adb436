"""What tests need of a Kubernetes API: a control plane alone, or the whole local cluster."""

from tests.harness.audit import AuditLog, Request
from tests.harness.cluster import Cluster
from tests.harness.control_plane import TestControlPlane, control_plane
from tests.harness.kubectl import Kubectl, KubectlError, Object
from tests.harness.waiting import WaitError

__all__ = [
    "AuditLog",
    "Cluster",
    "Kubectl",
    "KubectlError",
    "Object",
    "Request",
    "TestControlPlane",
    "WaitError",
    "control_plane",
]
