"""A ModelDeployment that serves, with what its traffic looks like told in short."""

from typing import Any

from slipway.plan import Manifest, ObjectRef
from slipway.serving.children.names import ROUTES_FILE
from tests.unit.serving.world import SHA, World

STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {"duration": "60s"}},
    {"setWeight": 50},
    {"pause": {}},
]


def canary(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a rollout by strategy Canary."""
    return {"strategy": "Canary", "canary": {"steps": list(steps or STEPS), **more}}


def serving(rollout: dict[str, Any], replicas: int = 4, **spec: Any) -> World:
    """Return a world in which a first revision serves."""
    world = World(rollout=rollout, replicas=replicas, **spec)
    world.run()
    assert rollout_of(world)["phase"] == "Complete"
    return world


def model(name: str) -> dict[str, Any]:
    """Return another archive."""
    return {"uri": f"s3://slipway/shared/{name}.mar", "sha256": SHA, "name": "iris"}


def rollout_of(world: World) -> dict[str, Any]:
    """Return the rollout's status."""
    found: dict[str, Any] = world.status["rollout"]
    return found


def candidate(world: World) -> dict[str, Any]:
    """Return the candidate's status."""
    found: dict[str, Any] = rollout_of(world)["candidate"]
    return found


def routes(world: World, revision: str) -> str:
    """Return the route file of a revision."""
    ref = ObjectRef("v1", "ConfigMap", "demo", f"web-{revision}-routes")
    return str(world.children[ref]["data"][ROUTES_FILE])


def service(world: World, name: str = "web") -> Manifest:
    """Return a Service."""
    return world.children[ObjectRef("v1", "Service", "demo", name)]


def services(world: World) -> set[str]:
    """Return the names of all Services."""
    return {one["metadata"]["name"] for one in world.of_kind("Service")}


def served_slot(world: World) -> str:
    """Return the slot that the Service leads to."""
    return str(service(world)["spec"]["selector"]["slipway.dev/track"])
