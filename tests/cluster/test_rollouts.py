"""Rollouts on the cluster, with real TorchServe, Envoy and load: promoted, aborted, interrupted."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.conftest import Quickstart
from tests.cluster.load import steady_load
from tests.cluster.rollouts import candidate, request, rollout
from tests.cluster.support import (
    SERVE,
    Space,
    address,
    condition,
    is_ready,
    model_deployment,
    predict,
)
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

ROW = [[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]]
OPERATOR = "app.kubernetes.io/component=operator"
STEPS = [
    {"setWeight": 20},
    {"pause": {"duration": "3s"}},
    {"setWeight": 50},
    {"pause": {}},
]
CANARY = {"strategy": "Canary", "canary": {"steps": STEPS}, "scaleDownDelaySeconds": 5}


def web(quickstart: Quickstart, colour: str, **wanted: Any) -> Object:
    """Return the deployment with a revision for each colour."""
    made = model_deployment("web", quickstart.model, rollout=wanted or CANARY)
    made["spec"]["server"]["env"] = [{"name": "COLOUR", "value": colour}]
    return made


def wait(space: Space, holds: Callable[[Object], Any]) -> Object:
    return space.wait("modeldeployment", "web", holds, SERVE)


def waits_at_half(found: Object) -> bool:
    return rollout(found).get("phase") == "Paused" and candidate(found).get("weight") == 50


def uids(space: Space, slot: str) -> set[str]:
    """Return the UIDs of a slot's pods that were not told to go."""
    pods = space.pods(f"slipway.dev/model-deployment=web,slipway.dev/track={slot}")
    alive = (pod["metadata"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return {meta["uid"] for meta in alive}


def colours(space: Space) -> set[str]:
    """Return the revisions of the endpoints that the Service leads to."""
    service = space.kubectl.get("service", "web") or {}
    selector = ",".join(f"{k}={v}" for k, v in service["spec"]["selector"].items())
    return {
        pod["metadata"]["labels"]["slipway.dev/revision"]
        for pod in space.pods(selector)
        if condition(pod, "Ready").get("status") == "True"
    }


def generations(space: Space) -> dict[str, int]:
    return {
        f"{kind}/{one['metadata']['name']}": one["metadata"].get("generation", 0)
        for kind in ("deployments", "poddisruptionbudgets")
        for one in space.kubectl.list(kind)
    }


@pytest.fixture(scope="module")
def space(shared: Space, quickstart: Quickstart) -> Space:
    """A deployment that serves its first revision."""
    shared.apply(web(quickstart, "blue"))
    shared.wait_until_ready("web")
    return shared


def test_a_canary_is_promoted_under_load_and_stable_pods_stay_until_then(
    space: Space, quickstart: Quickstart
) -> None:
    before = uids(space, "blue")
    first = rollout(space.deployment("web"))["stableRevision"]
    with steady_load(f"{address(space, 'web')}/predict", ROW, rate=20) as account:
        wait_for(lambda: account.total > 40, 120, "the load has begun", space.report)
        space.apply(web(quickstart, "green"))
        half = wait(space, waits_at_half)
        assert uids(space, "blue") == before
        assert colours(space) == {first}
        assert rollout(half)["stableWeight"] == 50
        asked = candidate(half)
        request(space, "web", "promote", f"{asked['revision']}/{asked['step']}")
        done = wait(space, lambda it: rollout(it).get("stableRevision") == asked["revision"])
        space.wait_until_ready("web")
        assert colours(space) == {asked["revision"]}
        assert rollout(done)["activeSlot"] == "green"
        wait_for(lambda: not uids(space, "blue"), SERVE, "the old pods go", space.report)
    print(f"{account.total} requests in {account.seconds:.0f} s, lost: {account.lost}")
    assert account.lost == {}, (account.total, space.report())

    def told() -> bool:
        events = space.kubectl.list("events")
        shifted = [one["message"] for one in events if one.get("reason") == "TrafficShifted"]
        return any("20 %" in text for text in shifted)

    wait_for(told, 120, "an event tells of the first share", space.report)


def test_applying_the_same_again_leaves_all_generations_alone(
    space: Space, quickstart: Quickstart
) -> None:
    space.wait_until_ready("web")
    before = generations(space)
    space.apply(web(quickstart, "green"))
    request(space, "web", "promote", "0123456789")
    space.kubectl.run("annotate", "mdep", "web", "slipway.dev/rollout-promote-")
    assert is_ready(space.deployment("web"))
    assert generations(space) == before


@pytest.mark.long
def test_a_second_change_while_the_operator_is_away_starts_over_from_stable(
    cluster: Cluster, space: Space, quickstart: Quickstart
) -> None:
    before = rollout(space.wait_until_ready("web"))
    stable, slot = before["stableRevision"], before["activeSlot"]
    pods = uids(space, slot)
    assert pods
    space.apply(web(quickstart, "red"))
    first = candidate(wait(space, waits_at_half))["revision"]
    cluster.system.run("delete", "pod", "-l", OPERATOR, "--force", "--grace-period=0")
    assert predict(space, "web", ROW)
    space.apply(web(quickstart, "yellow"))
    later = wait(space, lambda it: candidate(it).get("revision") not in (None, first))
    assert candidate(later)["weight"] == 0
    assert rollout(later)["history"][0]["outcome"] == "Superseded"
    cluster.system.run("delete", "pod", "-l", OPERATOR, "--force", "--grace-period=0")
    half = wait(space, waits_at_half)
    assert rollout(half)["stableRevision"] == stable
    assert uids(space, slot) == pods


def test_an_aborted_canary_goes_back_to_stable_and_keeps_no_pod(
    space: Space, quickstart: Quickstart
) -> None:
    space.apply(web(quickstart, "yellow"))
    found = wait(space, waits_at_half)
    stable, pods = rollout(found)["stableRevision"], uids(space, "green")
    with steady_load(f"{address(space, 'web')}/predict", ROW, rate=20) as account:
        wait_for(lambda: account.total > 20, 120, "the load has begun", space.report)
        request(space, "web", "abort", candidate(found)["revision"])
        back = wait(space, lambda it: rollout(it).get("phase") == "RolledBack")
        assert rollout(back)["failed"]["reason"] == "Aborted"
        assert condition(back, "Ready")["reason"] == "Aborted"
        wait_for(lambda: not uids(space, "blue"), SERVE, "the candidate's pods go", space.report)
    assert account.lost == {}, (account.total, space.report())
    assert uids(space, "green") == pods
    assert colours(space) == {stable}
    deployment = space.kubectl.get("deployment", "web") or {}
    assert deployment["spec"]["replicas"] == 0


def test_blue_green_turns_all_requests_at_once(space: Space, quickstart: Quickstart) -> None:
    wanted = {"strategy": "BlueGreen", "blueGreen": {}, "scaleDownDelaySeconds": 3600}
    with steady_load(f"{address(space, 'web')}/predict", ROW, rate=20) as account:
        wait_for(lambda: account.total > 20, 120, "the load has begun", space.report)
        space.apply(web(quickstart, "white", **wanted))
        wait(space, lambda it: rollout(it).get("activeSlot") == "blue" and is_ready(it))
        old, new = uids(space, "green"), uids(space, "blue")
        assert old
        space.apply(web(quickstart, "green", **wanted))
        wait(space, lambda it: rollout(it).get("activeSlot") == "green" and is_ready(it))
    assert account.lost == {}, (account.total, space.report())
    assert (uids(space, "green"), uids(space, "blue")) == (old, new)
    space.kubectl.delete("modeldeployment", "web")
