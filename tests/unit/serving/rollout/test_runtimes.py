"""A change of the runtime is a rollout like any other: to the new one by a canary, and back."""

from itertools import permutations
from typing import Any

import pytest

from slipway.serving import reasons
from tests.unit.serving.rollout.progressive import (
    canary,
    candidate,
    rollout_of,
    routes,
    served_slot,
    services,
    serving,
)
from tests.unit.serving.world import World

SERVERS: dict[str, dict[str, Any]] = {
    "TorchServe": {},
    "Python": {"runtime": "Python"},
    "Container": {
        "runtime": "Container",
        "container": {"image": "registry.example/team/iris-flask:3", "predictPath": "/infer"},
    },
}


def promoted(world: World, server: str) -> str:
    """Change the server, look at a fifth of the traffic, and promote; return the new revision."""
    stable = rollout_of(world)["stableRevision"]
    world.change(server=SERVERS[server])
    world.run()
    revision = str(candidate(world)["revision"])
    assert (candidate(world)["weight"], rollout_of(world)["stableWeight"]) == (20, 80)
    assert rollout_of(world)["stableRevision"] == stable
    assert "weighted_clusters" in routes(world, stable)
    world.annotations["slipway.dev/rollout-promote"] = revision
    world.run()
    assert rollout_of(world)["stableRevision"] == revision
    world.run(seconds=31)
    assert rollout_of(world)["phase"] == "Complete"
    assert services(world) == {"web"}
    return revision


def images(world: World) -> list[str]:
    """Return the images of the slot that serves, that of the server last."""
    spec = world.workload["spec"]["template"]["spec"]
    return [each["image"] for each in (*spec["initContainers"], *spec["containers"])]


@pytest.mark.parametrize(("first", "second"), list(permutations(SERVERS, 2)))
def test_a_canary_changes_the_runtime_and_back(first: str, second: str) -> None:
    world = serving(canary({"setWeight": 20}, {"pause": {}}), server=SERVERS[first])
    before, began = images(world), world.revision
    assert promoted(world, second) != began
    assert served_slot(world) == "green"
    assert images(world) != before
    assert promoted(world, first) == began
    assert served_slot(world) == "blue"
    assert images(world) == before
    assert not [told for told in world.told() if told[0] == "Warning"]
    assert world.condition(reasons.READY).status == "True"
