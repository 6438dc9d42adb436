"""The two slots, and what a revision's ConfigMap remembers of it."""

from slipway.serving import names
from slipway.serving.revision import in_slot, recorded
from slipway.serving.slots import BLUE, GREEN, other_slot, slot_of
from tests.unit.serving.world import World


def test_a_first_revision_is_served_from_the_blue_slot() -> None:
    world = World()
    world.roll_out()
    snapshot = world.snapshot()
    slot = slot_of(snapshot.deployment, snapshot.children, BLUE)
    assert (slot.workload, slot.track, other_slot(BLUE)) == ("web", "blue", GREEN)
    (service,) = world.of_kind("Service")
    assert service["spec"]["selector"] == names.selector(snapshot.deployment, "blue")


def test_a_deployment_of_the_release_before_keeps_its_track() -> None:
    world = World()
    world.reconcile()
    world.workload["spec"]["selector"]["matchLabels"][names.TRACK] = "stable"
    world.reconcile()
    (service,) = world.of_kind("Service")
    template = world.workload["spec"]["template"]
    assert service["spec"]["selector"][names.TRACK] == "stable"
    assert template["metadata"]["labels"][names.TRACK] == "stable"


def test_a_revision_can_be_made_again_when_the_spec_says_something_else() -> None:
    world = World()
    world.roll_out()
    before = world.workload["spec"]["template"]
    revision = world.revision
    world.change(server={"responseTimeoutSeconds": 7}, model={**world.spec["model"], "name": "new"})
    snapshot = world.snapshot()
    found = recorded(snapshot.deployment, snapshot.children, revision)
    assert found is not None
    assert in_slot(found.template, "blue") == before
    assert (found.proxy.model, found.proxy.response_timeout) == ("web", 3600)


def test_a_revisions_name_does_not_depend_on_its_slot() -> None:
    world = World()
    world.roll_out()
    template = world.workload["spec"]["template"]
    green = in_slot(template, "green")
    assert green["metadata"]["labels"][names.TRACK] == "green"
    spread = green["spec"]["topologySpreadConstraints"]
    assert {one["labelSelector"]["matchLabels"][names.TRACK] for one in spread} == {"green"}
    assert in_slot(green, "blue") == template
