"""Slipway's chart, installed by Helm."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dev import gotools, paths
from dev.cluster import layout, ownership
from dev.errors import DevError
from dev.images import node, product
from dev.kubectl import Kubectl
from dev.shell import run
from dev.steps import step

NAME = "slipway"
NAMESPACE = "slipway-system"
CHART = paths.REPOSITORY / "charts" / "slipway"
RESTRICTED_NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}
VALUES = paths.REPOSITORY / "dev" / "values.yaml"


@dataclass(frozen=True)
class Release:
    """A release of the chart in the cluster of a kubeconfig (None: the current one)."""

    kubeconfig: Path | None
    values: tuple[str, ...] = ()
    chart: Path = CHART

    def install(self, timeout: int = 300) -> None:
        """Install or upgrade it and wait until its pods are ready; quick if nothing changed."""
        gotools.ensure(["helm", "kubectl"])
        self._forget_interrupted()
        wait = ("--wait", f"--timeout={timeout}s", "--create-namespace")
        try:
            self._helm("upgrade", "--install", NAME, str(self.chart), *wait, *self.values)
        except DevError as error:
            raise DevError(f"{error}\n{self._report()}") from error

    def _report(self) -> str:
        kubectl = Kubectl(self.kubeconfig, NAMESPACE)
        events = kubectl("get", "events", "--sort-by=.metadata.creationTimestamp").splitlines()
        return "\n".join([kubectl("get", "pods", "--output=wide"), *events[-15:]])

    def _forget_interrupted(self) -> None:
        """Forget an operation of Helm's that was cut off, which would block all later ones."""
        states = "pending-install,pending-upgrade,pending-rollback"
        selector = f"owner=helm,name={NAME},status in ({states})"
        Kubectl(self.kubeconfig, NAMESPACE)("delete", "secret", f"--selector={selector}")

    def _helm(self, *args: str) -> str:
        where = (f"--kubeconfig={self.kubeconfig}",) if self.kubeconfig else ()
        return run(gotools.path("helm"), *where, f"--namespace={NAMESPACE}", *args)


def install_locally() -> None:
    """Build the images, load them into the local cluster, which is up, and install the chart."""
    with ownership.alone():
        images = load_images()
        with step(f"Installing the chart into namespace {NAMESPACE}"):
            Kubectl(layout.KUBECONFIG)("apply", "-f", "-", stdin=json.dumps(RESTRICTED_NAMESPACE))
            Release(layout.KUBECONFIG, local_values(images)).install()


def load_images() -> dict[str, product.Image]:
    """Build the images, load those that the node lacks, whose containerd runs, and return all.

    One is loaded while the next is built.
    """
    with ThreadPoolExecutor(1) as loader:
        images = product.ensure(then=lambda image: loader.submit(node.load, [image.reference]))
    node.load(image.reference for image in images.values())
    return images


def local_values(images: Mapping[str, product.Image], values: Path = VALUES) -> tuple[str, ...]:
    """Return Helm's arguments that choose the images built here, and the values of a file."""
    return ("--values", str(values), *image_values(images))


def image_values(images: Mapping[str, product.Image]) -> tuple[str, ...]:
    """Return Helm's arguments that choose images which are in the nodes, and are never pulled."""
    tags = {name: {"tag": image.tag} for name, image in images.items()}
    chosen = {"registry": "localhost", "pullPolicy": "Never", **tags}
    return ("--set-json", f"images={json.dumps(chosen)}")
