"""The release as its users meet it: ``helm test``, and what it leaves behind."""

import subprocess

import pytest

from dev import gotools, release
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

KINDS = "tj,mdep,configmaps,jobs,deployments,pods,serviceaccounts,roles,rolebindings"


def helm(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Helm on the release's namespace, and return how it ended."""
    where = (f"--kubeconfig={cluster.kubeconfig}", f"--namespace={release.NAMESPACE}")
    return subprocess.run(
        [str(gotools.path("helm")), *where, *arguments], capture_output=True, text=True, check=False
    )


def test_the_release_runs_where_only_restricted_pods_are_let_in(cluster: Cluster) -> None:
    namespace = cluster.kubectl.get("namespace", release.NAMESPACE) or {}
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = cluster.system.list("pods", "app.kubernetes.io/instance=slipway")
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert components >= {"operator", "store"}


def test_helm_test_trains_and_serves_a_tiny_model_and_leaves_nothing(cluster: Cluster) -> None:
    done = helm(cluster, "test", release.NAME, "--timeout=480s")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout + done.stderr
    assert "TrainingJob: Succeeded" in told
    assert "PASSED: a model was trained, packaged, served and asked." in told

    def left() -> list[Object]:
        owners = ("slipway.dev/training-job", "slipway.dev/model-deployment")
        kinds = "jobs,deployments,services,configmaps,pods"
        owned = [one for owner in owners for one in cluster.system.list(kinds, owner)]
        return cluster.system.list(KINDS, "app.kubernetes.io/component=test") + owned

    wait_for(lambda: not left(), 240, "nothing is left", lambda: str(left()))
