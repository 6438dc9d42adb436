"""One archive under both runtimes: a canary changes the server, and nobody sees a difference."""

import time

import httpx
import pytest

from tests.cluster import toy
from tests.cluster.attack import Target, attacking
from tests.cluster.load import steady_load
from tests.cluster.rollouts import at_pause, candidate, go_on, stable
from tests.cluster.support import SERVE, Space, address
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

ROWS = [[0.1 * number for number in range(10)]]
CANARY = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 50}, {"pause": {}}]},
    "scaleDownDelaySeconds": 5,
}
RATE = 50
ANALYSIS = {
    "interval": "10s",
    "minSamples": 300,
    "metrics": [
        {"name": "success", "successRate": {}, "successCondition": "result >= 1"},
        {"name": "score", "model": {"name": "Score"}, "successCondition": "result < 2"},
        {"name": "time", "model": {"name": "PredictionTime"}, "successCondition": "result < 1000"},
    ],
}
"""Goes by what a handler tells and by what its server does: both have the same names for it."""
JUDGED = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 50}, {"analysis": ANALYSIS}]},
    "scaleDownDelaySeconds": 5,
}
JUDGED_RATE, JUDGED_REQUESTS = 100, 10_000


def wanted(model: Object, runtime: str, rollout: Object = CANARY) -> Object:
    made = toy.deployment("both", model, rollout, NETWORK="20")
    made["spec"]["server"]["runtime"] = runtime
    return made


def asked(space: Space) -> tuple[int, str | None, bytes]:
    """Return what of an answer does not depend on who gave it when."""
    answer = httpx.post(f"{address(space, 'both')}/predict", json=ROWS, timeout=60)
    return answer.status_code, answer.headers.get("content-type"), answer.content


def change(space: Space, model: Object, runtime: str) -> None:
    """Change the runtime by a canary, and wait until the other one has taken over."""
    before = stable(space.deployment("both"))
    space.apply(wanted(model, runtime))
    half = space.wait("mdep", "both", lambda it: at_pause(it, 50), SERVE)
    assert candidate(half)["revision"] != before
    go_on(space, "both")
    space.wait("mdep", "both", lambda it: stable(it) != before and not candidate(it), SERVE)
    space.wait_until_ready("both")


def images(space: Space) -> set[str]:
    """Return the images of the pods that serve."""
    pods = space.pods("slipway.dev/model-deployment=both")
    alive = (pod["spec"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return {one["image"] for spec in alive for one in spec["containers"]}


@pytest.mark.long
def test_a_canary_changes_the_runtime_and_back_with_no_request_lost(
    cluster: Cluster, space: Space
) -> None:
    model = toy.put(cluster)
    space.apply(wanted(model, "TorchServe"))
    space.wait_until_ready("both")
    told = asked(space)
    assert told[0] == 200
    with steady_load(f"{address(space, 'both')}/predict", ROWS, RATE) as account:
        wait_for(lambda: account.total > 2 * RATE, 120, "the load has begun", space.report)
        change(space, model, "Python")
        wait_for(lambda: len(images(space)) == 1, SERVE, "the old pods go", space.report)
        assert "slipway-python" in images(space).pop()
        assert asked(space) == told
        change(space, model, "TorchServe")
    assert account.lost == {}, (account.total, space.report())
    assert asked(space) == told


def promote(space: Space, model: Object, runtime: str) -> None:
    """Change the runtime by a canary that an analysis judges, and wait until it has taken over."""
    before = stable(space.deployment("both"))
    space.apply(wanted(model, runtime, JUDGED))
    space.wait("mdep", "both", candidate, SERVE)
    found = space.wait("mdep", "both", lambda it: not candidate(it), SERVE)
    assert stable(found) != before, space.report()
    space.wait_until_ready("both")
    wait_for(lambda: len(images(space)) == 1, SERVE, "the old pods go", space.report)


@pytest.mark.long
def test_an_analysis_lets_the_runtime_change_and_back_with_none_of_ten_thousand_requests_lost(
    cluster: Cluster, space: Space
) -> None:
    model = toy.put(cluster)
    space.apply(wanted(model, "TorchServe", JUDGED))
    space.wait_until_ready("both")
    told = asked(space)
    with attacking(Target(f"{address(space, 'both')}/predict", ROWS), JUDGED_RATE) as answers:
        until = time.monotonic() + JUDGED_REQUESTS / JUDGED_RATE
        promote(space, model, "Python")
        assert "slipway-python" in images(space).pop()
        promote(space, model, "TorchServe")
        assert "slipway-server" in images(space).pop()
        wait_for(lambda: time.monotonic() > until, SERVE, "all are asked", space.report)
    assert answers.lost == {}, space.report()
    assert answers.bodies == {told[2].decode(): answers.total}, "all answers are the same"
    assert answers.total >= JUDGED_REQUESTS


@pytest.mark.parametrize(
    ("rollout", "variables", "reason", "told"),
    [
        ({}, {"NETWORK": "none"}, "ModelLoadFailed", "ValueError: invalid literal for int()"),
        (
            {"smoke": {"request": [1], "expected": "red"}},
            {"ANSWER": "blue"},
            "SmokeTestFailed",
            'it is "blue" instead of "red"',
        ),
    ],
)
def test_what_is_wrong_with_a_model_is_told_as_it_is_under_torchserve(
    cluster: Cluster,
    space: Space,
    rollout: Object,
    variables: dict[str, str],
    reason: str,
    told: str,
) -> None:
    made = toy.deployment("wrong", toy.put(cluster), rollout, **variables)
    made["spec"]["server"]["runtime"] = "Python"
    space.apply(made)
    found = space.wait_for_reason("mdep", "wrong", "Ready", reason, SERVE)
    assert told in found["message"]
