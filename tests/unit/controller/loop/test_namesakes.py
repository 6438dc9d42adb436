"""An object that was deleted and made anew while its plan was carried out."""

from slipway.plan import Event, Plan
from tests.unit.controller.fakes import training_job
from tests.unit.controller.world import CREATED, World


async def test_a_namesake_that_came_meanwhile_gets_no_status_and_no_events_of_its_predecessor() -> (
    None
):
    world = World()
    event = Event("Normal", "Created", "It is there.")
    world.plan = Plan(apply=(world.service(),), status={"conditions": [CREATED]}, events=(event,))
    create = world.api.create_new

    async def create_while_the_object_is_replaced(manifest):  # type: ignore[no-untyped-def]
        job = training_job()
        meta = {**job["metadata"], "uid": "another"}
        world.cache.feed(world.api.put({**job, "metadata": meta}))
        return await create(manifest)

    world.api.create_new = create_while_the_object_is_replaced  # type: ignore[method-assign]
    await world.reconcile()
    assert ("status", "TrainingJob", "job") not in world.api.writes
    assert world.api.events == []
