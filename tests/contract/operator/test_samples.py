"""A pod whose model answers otherwise than when it was packaged, on a real API server."""

import pytest

from tests.contract.operator import play
from tests.contract.operator.process import OperatorProcess
from tests.harness import Kubectl, Object
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.contract
WORD = {
    "reason": "SamplesFailed",
    "message": "Row 3 is not answered as when the archive was made: at .scores[1] it is 0.1 "
    "instead of 0.7 (tolerance 0.0001).",
}


def test_the_row_and_both_values_are_told_on_the_deployment_and_in_an_event(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    kubectl.create(play.model_deployment())
    pod = play.serving_pod(kubectl, "model")
    play.fail_server(kubectl, pod, WORD)

    def told() -> Object | None:
        conditions = (kubectl.get("mdep", "model") or {}).get("status", {}).get("conditions", ())
        return next((one for one in conditions if one["reason"] == "SamplesFailed"), None)

    condition = wait_for(told, 120, "the deployment is told", operator.log.read_text)
    assert WORD["message"].rstrip(".") in condition["message"]
    assert condition["status"] == "False"

    def event() -> bool:
        return any(one["reason"] == "SamplesFailed" for one in kubectl.list("events"))

    wait_for(event, 120, "an event says so", operator.log.read_text)
