"""The two slots, and what a revision's ConfigMap remembers of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from slipway.plan import Manifest
from slipway.serving.children import names
from slipway.serving.children.revision import RECORD_FILE, in_slot, recorded
from slipway.serving.children.slots import BLUE, GREEN, other_slot, slot_of
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
    found = recorded(snapshot.deployment, snapshot.children, revision, "restricted")
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


def privileged(record: Any) -> None:
    record["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True


def of_the_nodes_files(record: Any) -> None:
    record["template"]["spec"]["volumes"].append({"name": "node", "hostPath": {"path": "/"}})


def of_the_nodes_network(record: Any) -> None:
    record["template"]["spec"]["hostNetwork"] = True


def unconfined(record: Any) -> None:
    notes = record["template"]["metadata"].setdefault("annotations", {})
    notes["container.apparmor.security.beta.kubernetes.io/torchserve"] = "unconfined"


def without_containers(record: Any) -> None:
    record["template"]["spec"]["containers"] = "none"


def spread_by_text(record: Any) -> None:
    record["template"]["spec"]["topologySpreadConstraints"] = [{"labelSelector": "all"}]


def without_template(record: Any) -> None:
    del record["template"]


def rewrite(config_map: Manifest, forge: Callable[[Any], None]) -> None:
    """Have a revision's ConfigMap remember something else, as who deletes and makes it can."""
    record = json.loads(config_map["data"][RECORD_FILE])
    forge(record)
    config_map["data"][RECORD_FILE] = json.dumps(record)


FORGERIES = (
    privileged,
    of_the_nodes_files,
    of_the_nodes_network,
    unconfined,
    without_containers,
    spread_by_text,
    without_template,
)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_revision_is_not_made_again(forge: Callable[[Any], None]) -> None:
    world = World(rollout={"strategy": "BlueGreen"})
    world.roll_out()
    before, stable = world.workload["spec"]["template"], world.revision
    (config_map,) = (
        one for one in world.of_kind("ConfigMap") if one["metadata"]["name"] == f"web-{stable}"
    )
    rewrite(config_map, forge)
    world.change(server={"responseTimeoutSeconds": 7})
    made = world.plan()
    serving = [
        m for m in made.apply if m["kind"] == "Deployment" and m["metadata"]["name"] == "web"
    ]
    assert all(one["spec"]["template"] != before for one in serving)
    text = json.dumps(made.apply)
    assert not any(word in text for word in ('privileged": true', "hostPath", "hostNetwork"))
    assert "unconfined" not in text
    (told,) = (event for event in made.events if event.reason == "RevisionRefused")
    assert told.type == "Warning"
    assert f"ConfigMap web-{stable}" in told.message


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", "null", "[" * 100_000])
def test_a_record_that_is_none_is_as_if_it_were_not_there(text: str) -> None:
    world = World()
    world.roll_out()
    for config_map in world.of_kind("ConfigMap"):
        if RECORD_FILE in config_map["data"]:
            config_map["data"][RECORD_FILE] = text
    world.change(server={"responseTimeoutSeconds": 7})
    assert any(event.reason == "RevisionRefused" for event in world.plan().events)
    world.reconcile()
    assert world.revision != ""


@pytest.mark.parametrize("selector", ["a", ["a"], {"matchLabels": ["a"]}, {"matchLabels": "a"}])
def test_a_constraint_that_no_pod_can_have_is_left_to_the_api_server(selector: object) -> None:
    constraint = {"topologyKey": "zone", "labelSelector": selector}
    template = {"metadata": {"labels": {}}, "spec": {"topologySpreadConstraints": [constraint]}}
    assert in_slot(template, "blue")["spec"] == template["spec"]
