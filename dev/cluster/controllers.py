"""kube-controller-manager and kube-scheduler."""

from pathlib import Path

from dev import gotools
from dev.cluster.control_plane import ControlPlane
from dev.cluster.daemon import Daemon

CONTROLLER_MANAGER = (
    "--bind-address=127.0.0.1",
    "--leader-elect=false",
    "--use-service-account-credentials=true",
    "--kube-api-qps=200",
    "--kube-api-burst=400",
    "--node-monitor-period=2s",
    # An autoscaler that reacts while one looks on.
    "--horizontal-pod-autoscaler-sync-period=5s",
    "--horizontal-pod-autoscaler-cpu-initialization-period=20s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
)
SCHEDULER = (
    "--bind-address=127.0.0.1",
    "--leader-elect=false",
    "--kube-api-qps=200",
    "--kube-api-burst=400",
)


def configure(plane: ControlPlane) -> None:
    """Write the kubeconfigs of both."""
    for name in ("kube-controller-manager", "kube-scheduler"):
        certificate = plane.authority.issue(name, f"system:{name}")
        plane.write_kubeconfig(_kubeconfig(plane, name), certificate)


def controller_manager(plane: ControlPlane, flags: tuple[str, ...] = CONTROLLER_MANAGER) -> Daemon:
    """Return kube-controller-manager."""
    own = (
        f"--service-account-private-key-file={plane.service_account_key}",
        f"--root-ca-file={plane.authority.own.certificate}",
        *flags,
    )
    return _daemon(plane, "kube-controller-manager", own)


def scheduler(plane: ControlPlane, flags: tuple[str, ...] = SCHEDULER) -> Daemon:
    """Return kube-scheduler."""
    return _daemon(plane, "kube-scheduler", flags)


def _kubeconfig(plane: ControlPlane, name: str) -> Path:
    return plane.state / "config" / f"{name}.kubeconfig"


def _daemon(plane: ControlPlane, name: str, flags: tuple[str, ...]) -> Daemon:
    kubeconfig = _kubeconfig(plane, name)
    authentication = (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    )
    return Daemon(name, (str(gotools.path(name)), *authentication, *flags), plane.state)
