"""Undoing by one field: an earlier revision's archive is served again."""

from typing import Any

import pytest

from slipway.serving import reasons
from tests.unit.serving.rollout.progressive import canary, model, rollout_of, serving
from tests.unit.serving.world import URI_MODEL, World

NOTE = "slipway.dev/rollout-rollback-to"


def second(rollout: dict[str, Any]) -> tuple[World, str]:
    """Return a world that serves its second revision, and the name of the first."""
    world = serving(rollout)
    first = rollout_of(world)["stableRevision"]
    world.change(model=model("new"))
    for _ in range(4):
        world.run(seconds=61)
    assert rollout_of(world)["stableRevision"] != first
    return world, first


def ask(world: World, by: str, revision: str) -> None:
    if by == "annotation":
        world.annotations[NOTE] = revision
    else:
        world.change(rollout={**world.spec["rollout"], "rollbackTo": revision})


@pytest.mark.parametrize("by", ["annotation", "field"])
@pytest.mark.parametrize("rollout", [canary({"setWeight": 20}), {"strategy": "RollingUpdate"}])
def test_an_earlier_revision_serves_again_without_steps(rollout: dict[str, Any], by: str) -> None:
    world, first = second(rollout)
    held = canary({"setWeight": 20}, {"pause": {}}) if "canary" in rollout else rollout
    world.change(rollout=held)
    ask(world, by, first)
    world.run()
    world.run()
    assert rollout_of(world)["stableRevision"] == first
    assert world.status["model"]["uri"] == URI_MODEL["uri"]
    ready = world.condition(reasons.READY)
    assert (ready.status, ready.reason) == ("True", reasons.SERVING)
    told = world.condition(reasons.MODEL_READY)
    assert told.reason == reasons.ROLLBACK_REQUESTED
    assert "remove" in told.message
    assert "The server is the one of spec.server." in told.message


def test_the_history_and_the_message_tell_of_a_runtime_that_is_not_restored() -> None:
    world, first = second({"strategy": "RollingUpdate"})
    world.change(server={"runtime": "Python"})
    world.run(seconds=61)
    served = [entry.get("runtime") for entry in rollout_of(world)["history"]]
    assert served == ["Python", "TorchServe", "TorchServe"]
    ask(world, "annotation", first)
    world.run()
    told = world.condition(reasons.MODEL_READY).message
    assert "the archive alone is restored" in told
    assert "runtime TorchServe, and spec.server.runtime is Python: write TorchServe there" in told
    world.change(server={"runtime": "TorchServe"})
    world.run(seconds=61)
    assert rollout_of(world)["stableRevision"] == first
    assert "restore the runtime" not in world.condition(reasons.MODEL_READY).message


def test_a_history_that_does_not_say_the_runtime_is_no_reason_to_change_it() -> None:
    world, first = second({"strategy": "RollingUpdate"})
    for entry in rollout_of(world)["history"]:
        del entry["runtime"]
    world.change(server={"runtime": "Python"})
    ask(world, "annotation", first)
    world.run()
    told = world.condition(reasons.MODEL_READY).message
    assert "The server is the one of spec.server." in told


def test_the_spec_is_followed_again_once_the_word_is_gone() -> None:
    world, first = second({"strategy": "RollingUpdate"})
    now = rollout_of(world)["stableRevision"]
    ask(world, "annotation", first)
    world.run()
    world.annotations.clear()
    world.run()
    assert rollout_of(world)["stableRevision"] == now


def test_a_rollback_ends_what_a_failed_revision_left() -> None:
    world = serving(canary())
    first = rollout_of(world)["stableRevision"]
    world.change(model=model("bad"))
    world.run()
    world.annotations["slipway.dev/rollout-abort"] = rollout_of(world)["candidate"]["revision"]
    world.run()
    assert rollout_of(world)["phase"] == "RolledBack"
    ask(world, "annotation", first)
    world.run()
    assert rollout_of(world)["phase"] == "Complete"
    assert world.condition(reasons.READY).status == "True"


def test_a_revision_that_the_history_does_not_have_is_told_and_changes_nothing() -> None:
    world, first = second({"strategy": "RollingUpdate"})
    now = rollout_of(world)["stableRevision"]
    ask(world, "annotation", "0123456789")
    world.run()
    condition = world.condition(reasons.READY)
    assert (condition.status, condition.reason) == ("False", reasons.REVISION_NOT_FOUND)
    assert first in condition.message
    assert rollout_of(world)["stableRevision"] == now
    assert world.condition(reasons.AVAILABLE).status == "True"


def test_a_history_of_release_0_2_is_enough() -> None:
    world, first = second({"strategy": "RollingUpdate"})
    for entry in rollout_of(world)["history"]:
        del entry["model"]
    ask(world, "annotation", first)
    world.run()
    assert world.status["model"]["uri"] == URI_MODEL["uri"]


def test_no_message_and_no_status_shows_the_query_of_a_presigned_address() -> None:
    uri = "https://models.example/iris.mar?X-Amz-Signature=abc"
    world = World({**URI_MODEL, "uri": uri})
    world.run()
    world.change(model=model("new"))
    world.run()
    assert world.status["model"]["uri"] == model("new")["uri"]
    assert "https://models.example/iris.mar" in str(world.status)
    assert "Signature" not in str(world.status)
    assert "Signature" not in str(world.events)
