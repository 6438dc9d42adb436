"""Who may reach a deployment's pods, and what becomes of that when policies are switched off."""

from typing import Any

from slipway.plan import Manifest, ObjectRef
from slipway.serving.planner import plan
from tests.unit.serving.world import SETTINGS, World

POLICY = ObjectRef("networking.k8s.io/v1", "NetworkPolicy", "demo", "web")
OFF = SETTINGS.model_copy(update={"network_policies": False})


def door(**expose: Any) -> Manifest:
    """Return the rule about the model itself."""
    world = World(expose=expose)
    world.reconcile()
    rule: Manifest = world.children[POLICY]["spec"]["ingress"][0]
    assert rule["ports"] == [{"port": 8000, "protocol": "TCP"}]
    return rule


def test_everybody_may_ask_a_model_by_default() -> None:
    assert "from" not in door()


def test_only_those_may_ask_who_are_allowed_and_the_other_slot() -> None:
    everywhere = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "shop"}}}
    own, allowed = door(allowedFrom=[everywhere])["from"]
    assert own["podSelector"]["matchLabels"]["slipway.dev/model-deployment"] == "web"
    assert allowed == everywhere


def test_whom_a_model_is_asked_by_makes_no_new_revision() -> None:
    world = World()
    world.roll_out()
    before = world.revision
    world.change(expose={"allowedFrom": [{"podSelector": {}}]})
    world.reconcile()
    assert world.revision == before
    assert {"podSelector": {}} in world.children[POLICY]["spec"]["ingress"][0]["from"]


def test_a_policy_goes_when_they_are_switched_off() -> None:
    world = World()
    world.roll_out()
    made = plan(world.snapshot(), OFF, world.now)
    assert [gone.ref for gone in made.delete] == [POLICY]
    assert "NetworkPolicy" not in {one["kind"] for one in made.apply}
