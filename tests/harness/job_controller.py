"""Kubernetes' own Job controller and garbage collector beside a control plane, without nodes."""

from collections.abc import Iterator
from contextlib import contextmanager

from dev import gotools
from dev.cluster.daemon import Daemon
from tests.harness.control_plane import TestControlPlane
from tests.harness.programs import running

CONTROLLERS = "job-controller,garbage-collector-controller"


@contextmanager
def job_controller(control_plane: TestControlPlane, *more: str) -> Iterator[None]:
    """Run both controllers, and others by name, as an administrator, until the block ends."""
    gotools.ensure(["kube-controller-manager"])
    plane = control_plane.plane
    argv = (
        str(gotools.path("kube-controller-manager")),
        f"--kubeconfig={plane.kubeconfig}",
        f"--controllers={','.join((CONTROLLERS, *more))}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--cert-dir={plane.state}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    )
    with running(Daemon("kube-controller-manager", argv, plane.state)):
        yield
