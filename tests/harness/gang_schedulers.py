"""Schedulers of gangs beside a simulated cluster: Coscheduling and Volcano, with their kinds.

Each is a process of this machine with an administrator's rights, and places the pods that name it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import gotools
from dev.cluster.daemon import Daemon
from tests.harness.control_plane import TestControlPlane
from tests.harness.kubectl import Object
from tests.harness.programs import running, wait_for_program

COSCHEDULING = "coscheduling"
"""The name of the scheduler that has the plugin Coscheduling."""


@contextmanager
def coscheduling(cluster: TestControlPlane) -> Iterator[None]:
    """Run Kubernetes' scheduler with the plugin Coscheduling until the block ends."""
    gotools.ensure(["coscheduling"])
    files = gotools.unpacked("coscheduling", "sigs.k8s.io/scheduler-plugins")
    _install(cluster, files / "manifests" / "coscheduling" / "crd.yaml")
    configuration = cluster.plane.state / "coscheduling.json"
    configuration.write_text(json.dumps(_configuration(cluster.kubeconfig)))
    flags = (f"--config={configuration}", "--secure-port=0")
    with running(_program(cluster, "coscheduling", *flags)):
        yield


def _configuration(kubeconfig: Path) -> dict[str, object]:
    """Return what the plugin's own manifests have, under a name of its own."""
    own = [{"name": "Coscheduling"}]
    order = {"enabled": own, "disabled": [{"name": "*"}]}
    plugin = {"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 10}}
    profile = {
        "schedulerName": COSCHEDULING,
        "plugins": {"multiPoint": {"enabled": own}, "queueSort": order},
        "pluginConfig": [plugin],
    }
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "profiles": [profile],
    }


@contextmanager
def volcano(cluster: TestControlPlane) -> Iterator[None]:
    """Run Volcano's scheduler and controllers until the block ends."""
    gotools.ensure(["vc-scheduler", "vc-controller-manager"])
    files = gotools.unpacked("vc-scheduler", "volcano.sh/volcano")
    for part in ("volcano", "jobflow"):
        _install(cluster, files / "config" / "crd" / part / "bases")
    flags = (f"--kubeconfig={cluster.kubeconfig}", "--leader-elect=false")
    chart = files / "installer" / "helm" / "chart" / "volcano"
    policy = chart / "config" / "volcano-scheduler.conf"
    with (
        running(_program(cluster, "vc-controller-manager", *flags)) as controllers,
        running(_program(cluster, "vc-scheduler", *flags, f"--scheduler-conf={policy}")),
    ):
        wait_for_program(
            controllers,
            lambda: _is_open(cluster.kubectl.get("queues.scheduling.volcano.sh", "default")),
            120,
            "Volcano's default queue is open",
        )
        yield


def _is_open(queue: Object | None) -> bool:
    return queue is not None and queue.get("status", {}).get("state") == "Open"


def _install(cluster: TestControlPlane, kinds: Path) -> None:
    cluster.kubectl.apply(kinds)
    cluster.kubectl.wait_until_established("-f", str(kinds))


def _program(cluster: TestControlPlane, name: str, *flags: str) -> Daemon:
    return Daemon(name, (str(gotools.path(name)), *flags), cluster.plane.state)
