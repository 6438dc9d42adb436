"""What a year on a shared cluster brings: the operator goes on, says so, and writes no flood."""

from pathlib import Path

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, TestControlPlane
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract
CRDS = Path(__file__).parents[3] / "crds"
MIB = 1 << 20


def test_kinds_that_are_deleted_and_applied_again_are_watched_again(
    operator: OperatorProcess, kubectl: Kubectl, control_plane: TestControlPlane
) -> None:
    kubectl.create([play.source(), play.training_job("before")])
    play.wait_object(kubectl, "job", "before-train")
    admin = control_plane.kubectl
    names = ("crd/trainingjobs.slipway.dev", "crd/modeldeployments.slipway.dev")
    admin.run("delete", *names)
    wait_for(lambda: "slipway crds" in operator.log.read_text(), 60, "it says what is missing")
    assert operator.status("/healthz") == 200
    admin.apply(CRDS)
    admin.wait_until_established(*names)
    kubectl.create([play.training_job("after"), play.model_deployment()])
    play.wait_object(kubectl, "job", "after-train")
    play.wait_object(kubectl, "deployment", "model")
    wait_for(lambda: operator.status("/readyz") == 200, 60, "it is ready", operator.log.read_text)


def test_a_source_of_a_mebibyte_is_taken(operator: OperatorProcess, kubectl: Kubectl) -> None:
    source = play.source()
    kubectl.create([source, play.training_job("small")])
    play.wait_object(kubectl, "job", "small-train")
    source["data"]["more"] = "x" * (MIB - 4096)
    kubectl.run("delete", "configmap", "source")
    kubectl.create([source, play.training_job()])
    play.wait_object(kubectl, "job", "job-train")
    assert operator.status("/healthz") == 200
    assert operator.memory() < 150
