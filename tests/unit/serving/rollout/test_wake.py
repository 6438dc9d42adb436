"""When a rollout is looked at again though nothing happens in the cluster."""

import pytest

from tests.unit.serving.rollout.progressive import canary, model, serving
from tests.unit.serving.rollout.test_rollback import ANALYSIS, WITH_ANALYSIS, judge
from tests.unit.serving.world import World


def start(world: World) -> World:
    world.change(model=model("new"))
    world.run()
    return world


def test_a_pause_is_looked_at_when_it_is_over() -> None:
    world = start(serving(canary()))
    due = world.plan().requeue_after
    assert due is not None
    assert 40 < due < 61


def test_what_waits_for_a_person_is_not_looked_at_at_all() -> None:
    world = start(serving(canary({"setWeight": 5}, {"pause": {}})))
    assert world.plan().requeue_after is None


def test_a_running_analysis_is_looked_at_often_though_its_interval_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, "Running")
    long = {**ANALYSIS, "interval": "10m"}
    for rollout in (WITH_ANALYSIS, canary({"setWeight": 5}, {"pause": {}}, analysis=long)):
        due = start(serving(rollout)).plan().requeue_after
        assert due is not None
        assert 1 <= due <= 6


def test_a_revision_that_is_retired_is_looked_at_when_its_time_is_over() -> None:
    world = start(serving({"strategy": "BlueGreen", "scaleDownDelaySeconds": 300}))
    due = world.plan().requeue_after
    assert due is not None
    assert 200 < due < 301
