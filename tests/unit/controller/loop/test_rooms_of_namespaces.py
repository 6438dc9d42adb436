"""A namespace that takes too much memory: its object is told, and goes on once there is room."""

from slipway.controller.whole import AGAIN_SECONDS
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import child, training_job
from tests.unit.controller.world import World

LONG = ["x" * 4000] * 5


def large(world: World) -> Manifest:
    """Return an object that takes the room of the world's namespace."""
    return world.api.put(training_job("first", args=LONG))


async def test_what_has_no_room_is_told_and_left_alone() -> None:
    world = World(most=1)
    outcome = await world.reconcile()
    assert outcome.result == "invalid"
    assert outcome.revisit == AGAIN_SECONDS
    stalled = world.conditions()["Stalled"]
    assert stalled["reason"] == "NamespaceTooLarge"
    assert "delete some, or write less" in stalled["message"]
    assert [write[0] for write in world.api.writes] == ["status"]
    assert world.api.objects[world.ref]["spec"] == world.job["spec"]


async def test_it_is_planned_for_once_others_are_gone_and_keeps_its_status_until_then() -> None:
    world = World(most=30_000)
    first = large(world)
    world.cache.remove(world.ref, world.job["metadata"]["uid"], 0)
    world.cache.feed(first)
    long = {**world.job, "spec": {**world.job["spec"], "args": LONG}}
    world.cache.feed(world.api.put({**long, "status": {"phase": "Running", "attempt": 2}}))
    assert (await world.reconcile()).result == "invalid"
    assert world.api.objects[world.ref]["status"]["attempt"] == 2
    world.cache.remove(ObjectRef.of(first), first["metadata"]["uid"])
    outcome = await world.reconcile()
    assert outcome.result == "wrote"
    assert "Stalled" not in world.conditions()
    assert ("create", "Service", "job") in world.api.writes


async def test_an_object_that_is_too_much_with_its_children_is_told_and_left_alone() -> None:
    world = World(most=400_000)
    await world.reconcile()
    for number in range(12):
        forged = child(world.job, "ConfigMap", f"forged-{number}", data={"text": "x" * 20_000})
        world.cache.feed(world.api.put(forged))
    world.api.writes.clear()
    outcome = await world.reconcile()
    assert (outcome.result, outcome.revisit) == ("invalid", AGAIN_SECONDS)
    assert "with its children" in world.conditions()["Stalled"]["message"]
    assert [write[0] for write in world.api.writes] == ["status"]


async def test_an_object_whose_child_has_no_room_is_left_alone_as_well() -> None:
    world = World(most=20_000)
    await world.reconcile()
    forged = child(world.job, "ConfigMap", "forged", data={})
    forged["metadata"]["uid"] = "forged"
    forged["data"] |= {f"key-{number}": str(number * 7919) for number in range(20_000)}
    world.cache.feed(world.api.put(forged))
    world.api.writes.clear()
    assert (await world.reconcile()).result == "invalid"
    assert [write[0] for write in world.api.writes] == ["status"]
    world.cache.remove(
        ObjectRef.of(forged), world.api.objects[ObjectRef.of(forged)]["metadata"]["uid"]
    )
    assert (await world.reconcile()).result != "invalid"
