"""A package that missed a gate, on a real API server: told on the job, and taken by nobody."""

import json

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, Object
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.contract, pytest.mark.one_operator]
GATED = {
    "serializedFile": "model.pt",
    "handler": "image_classifier",
    "gates": [{"metric": "accuracy", "successCondition": "result >= 0.9"}],
}


def conditions(found: Object | None) -> dict[str, str]:
    told = (found or {}).get("status", {}).get("conditions", ())
    return {one["type"]: f"{one['status']}:{one['reason']}" for one in told}


def test_a_rejected_package_is_told_with_its_figure_and_no_deployment_takes_it(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create([play.source(), play.training_job(package=GATED)])
    kubectl.create(play.model_deployment(model={"trainingJob": {"name": "job"}}))
    play.train(kubectl)
    done = play.package(kubectl, word=play.rejected())
    assert conditions(done)["Packaged"] == "False:Rejected"
    assert conditions(done)["Failed"] == "True:Rejected"
    (gate,) = done["status"]["rejectedPackage"]["gates"]
    assert (gate["value"], gate["verdict"]) == ("0.87", "Failed")
    assert "package" not in done["status"]

    def told() -> Object | None:
        live = kubectl.get("mdep", "model")
        return live if conditions(live).get("ModelReady") == "False:PackageRejected" else None

    live = wait_for(told, 120, "the deployment is told", operator.log.read_text)
    assert "accuracy is 0.87" in json.dumps(live["status"]["conditions"])
    assert kubectl.get("deployment", "model") is None


def test_a_package_is_compared_with_what_a_deployment_of_its_namespace_serves(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    gates = [{"metric": "accuracy", "minRatioToServed": "0.98"}]
    package = {**GATED, "gates": gates, "comparedWith": {"name": "model"}}
    kubectl.create([play.source(), play.model_deployment()])
    play.roll_out(kubectl)

    def stable() -> bool:
        rollout = (kubectl.get("mdep", "model") or {}).get("status", {}).get("rollout", {})
        return bool(rollout.get("stableRevision"))

    wait_for(stable, 120, "a revision is stable", operator.log.read_text)
    kubectl.create(play.training_job(package=package))
    play.train(kubectl)
    pod = play.wait_object(kubectl, "job", "job-package")["spec"]["template"]["spec"]
    env = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert json.loads(env["SLIPWAY_GATES"])["served"] == {"sha256": play.SHA}
    word = play.rejected()
    word["package"]["gates"][0] |= {"source": "Report", "notCompared": "NoRecord"}
    done = play.package(kubectl, word=word)
    (gate,) = done["status"]["rejectedPackage"]["gates"]
    assert gate["source"] == "Report"
    assert gate["message"] == (
        "accuracy is 0.87, and minRatioToServed 0.98 does not hold (there is no record of the "
        "archive that ModelDeployment model serves)"
    )
