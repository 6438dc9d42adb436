"""Bringing the cluster up: whatever of it does not run is started, the rest left alone."""

import shutil
import sys
import time
from collections.abc import Callable

from dev import gotools, packages, paths
from dev.cluster import addons, containers, controllers, host, layout, node, ownership
from dev.cluster.control_plane import ControlPlane
from dev.cluster.parts import daemons
from dev.images import node as node_images
from dev.images import oci, system
from dev.shell import run, succeeds, wait_until, write
from dev.steps import say, step

COMPLETE = layout.STATE / "run" / "complete"
_ELSEWHERE = (
    *(*gotools.CHART_TESTS, "kwok", "prometheus", "promtool", "actionlint", "vegeta"),
    *("slipway-store", "versitygw"),
)
"""What no part of the cluster is: the store's image builds its program itself."""
PROGRAMS = tuple(program for program in gotools.ALL if program not in _ELSEWHERE)


def up() -> None:
    """Bring the cluster up, building what it needs first, and say how to use it."""
    _clear_abandoned()
    with ownership.alone():
        packages.ensure(packages.CLUSTER)
        gotools.ensure(PROGRAMS)
        system.ensure()
        if is_up():
            say("--> The local cluster is up already")
        else:
            _start()
    print(f"export KUBECONFIG={layout.KUBECONFIG}")


def start_containerd() -> None:
    """Start the node's containerd, unless the cluster is up, for images that are loaded early."""
    _clear_abandoned()
    with ownership.alone():
        packages.ensure(packages.CLUSTER)
        if not is_up():
            with step("Starting containerd"):
                _prepare(layout.control_plane())


def _clear_abandoned() -> None:
    """End what is left of a cluster whose processes are gone, and maybe its clone too."""
    if state := ownership.abandoned():
        with step(f"Clearing away what the cluster of {state.parent} has left"):
            env = {"SLIPWAY_STATE": str(state)}
            run(sys.executable, "-m", "dev", "down", cwd=paths.REPOSITORY, env=env)


def is_up() -> bool:
    """Whether it came up whole, every process runs, and apiserver and node are ready."""
    plane = layout.control_plane()
    if not COMPLETE.exists() or not addons.applied():
        return False
    running = all(daemon.current for daemon in daemons(plane))
    return running and plane.ready() and addons.node_ready()


def _start() -> None:
    start = time.monotonic()
    plane = layout.control_plane()
    with step("Starting etcd, kube-apiserver and containerd"):
        _prepare(plane)
        plane.start()
    with step("Starting kube-controller-manager, kube-scheduler, kubelet and kube-proxy"):
        node_images.load(image.reference for image in system.images().values())
        for daemon in daemons(plane):
            daemon.start()
        addons.apply()
        wait_until(_node_ready(plane), 60, "Readiness of the node", interval=0.2)
        addons.offer_gpus()
    with step("Waiting for DNS, metrics and storage"):
        addons.wait_until_available(timeout=90)
        addons.wait_until_metrics(timeout=90)
    write(COMPLETE, "")
    say(f"--> The local cluster is up after {time.monotonic() - start:.1f} s")


def _prepare(plane: ControlPlane) -> None:
    """Make this machine the cluster's node, and start containerd; nothing else of it runs yet."""
    COMPLETE.unlink(missing_ok=True)
    if not host.NOTES.exists():
        shutil.rmtree(layout.STATE / "logs", ignore_errors=True)  # of the cluster before
    ownership.claim()
    host.prepare()
    plane.prepare()
    controllers.configure(plane)
    node.configure(plane, system.images()["pause"].reference)
    _start_containerd()


def _start_containerd() -> None:
    containerd = node.containerd()
    if not containerd.start():
        return
    version = (*node_images.CTR, "version")
    wait_until(lambda: succeeds(*version), 30, "Readiness of containerd")
    containerd.check()
    if not node.kubelet().process and not addons.APPLIED.exists():
        # A new cluster knows nothing of what an earlier one may have left in the image store.
        containers.forget_all()
        node_images.remove_all_but(oci.images())


def _node_ready(plane: ControlPlane) -> Callable[[], bool]:
    def ready() -> bool:
        for daemon in daemons(plane):
            daemon.check()
        return addons.node_ready()

    return ready
