"""One archive under both runtimes: a canary changes the server, and nobody sees a difference."""

import httpx
import pytest

from tests.cluster import toy
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


def wanted(model: Object, runtime: str) -> Object:
    made = toy.deployment("both", model, CANARY, NETWORK="20")
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
