"""The rollout's state machine under generated histories: what must hold whatever comes."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.api.serving.analysis import AnalysisState
from slipway.api.serving.deployment import ModelDeploymentStatus
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.manifests import REVISION
from slipway.plan import ObjectRef
from slipway.serving.analysis import judgment
from slipway.serving.children.names import ROUTES_FILE, TRACK
from tests.unit.serving.world import SHA, World

Act = Callable[[World], None]

METRIC = {"name": "errors", "successRate": {}, "successCondition": "result >= 0.99"}
JUDGED = {"metrics": [METRIC], "interval": "30s"}
MATCH = [{"headers": [{"name": "x-group", "exact": "beta"}]}]
ROLLOUTS: list[dict[str, Any]] = [
    {"strategy": "RollingUpdate"},
    {
        "strategy": "Canary",
        "canary": {
            "steps": [{"setWeight": 20}, {"pause": {"duration": "60s"}}, {"setWeight": 70}],
            "analysis": JUDGED,
        },
    },
    {
        "strategy": "Canary",
        "canary": {
            "steps": [
                {"setReplicas": 2},
                {"setWeight": 50},
                {"analysis": JUDGED},
                {"setWeight": 10},
                {"pause": {}},
            ]
        },
    },
    {
        "strategy": "Canary",
        "canary": {"autoSteps": {"stepWeight": 30, "interval": "30s", "maxWeight": 90}},
    },
    {"strategy": "BlueGreen"},
    {
        "strategy": "BlueGreen",
        "blueGreen": {
            "autoPromote": False,
            "prePromotionAnalysis": JUDGED,
            "postPromotionAnalysis": JUDGED,
        },
    },
    {"strategy": "Shadow", "shadow": {"weight": 40, "analysis": JUDGED, "autoPromote": True}},
    {"strategy": "ABTest", "abTest": {"match": MATCH, "weight": 5, "duration": "60s"}},
]
PHASES = ("Running", "Successful", "Failed", "Inconclusive")


def model(number: int) -> dict[str, Any]:
    return {"uri": f"s3://slipway/shared/{number}.mar", "sha256": SHA, "name": "iris"}


class Play(World):
    """A world whose traffic is judged as a history says."""

    verdict = "Running"
    copied = False


def evaluate(world: Play) -> Callable[..., AnalysisState]:
    def judged(_: Any, state: AnalysisState, *__: Any) -> AnalysisState:
        if state.phase in ("Successful", "Failed"):
            return state
        return AnalysisState.model_validate({"phase": world.verdict, "message": "0.05 of 400."})

    return judged


def change(number: int) -> Act:
    return lambda world: world.change(model=model(number))


def strategy(index: int) -> Act:
    return lambda world: world.change(rollout=ROLLOUTS[index])


def replicas(count: int) -> Act:
    return lambda world: world.change(replicas=count)


def verdict(phase: str) -> Act:
    def act(world: World) -> None:
        world.verdict = phase  # type: ignore[attr-defined]

    return act


def wait(seconds: int) -> Act:
    def act(world: World) -> None:
        world.now += timedelta(seconds=seconds)

    return act


def up(slot: str, ready: int | None) -> Act:
    return lambda world: world.up(slot, ready)


def request(what: str, step: int | None) -> Act:
    """Ask something of the current candidate by annotation."""

    def act(world: World) -> None:
        found = (world.status.get("rollout") or {}).get("candidate")
        if found:
            tail = "" if step is None else f"/{step}"
            world.annotations[f"slipway.dev/rollout-{what}"] = found["revision"] + tail

    return act


def paused(value: str) -> Act:
    def act(world: World) -> None:
        world.annotations["slipway.dev/rollout-paused"] = value

    return act


def retry(word: str) -> Act:
    def act(world: World) -> None:
        world.annotations["slipway.dev/rollout-retry"] = word

    return act


def lost(kind: str) -> Act:
    """Let somebody delete all children of a kind."""

    def act(world: World) -> None:
        world.children = {ref: one for ref, one in world.children.items() if ref.kind != kind}

    return act


ACTS: st.SearchStrategy[Act] = st.one_of(
    st.just(World.reconcile),
    st.just(World.run),
    st.builds(change, st.integers(0, 3)),
    st.builds(strategy, st.integers(0, len(ROLLOUTS) - 1)),
    st.builds(replicas, st.integers(0, 4)),
    st.builds(verdict, st.sampled_from(PHASES)),
    st.builds(wait, st.sampled_from([1, 12, 61, 1000])),
    st.builds(up, st.sampled_from(["blue", "green", ""]), st.sampled_from([0, 1, None])),
    st.builds(request, st.just("abort"), st.none()),
    st.builds(request, st.just("promote"), st.sampled_from([None, 0, 1, 2, 4])),
    st.builds(paused, st.sampled_from(["true", ""])),
    st.builds(retry, st.sampled_from(["a", "b"])),
    st.builds(lost, st.sampled_from(["Service", "Deployment", "Pod"])),
)
HISTORIES = st.lists(ACTS, min_size=3, max_size=12)
STARTS = st.integers(0, len(ROLLOUTS) - 1)
examples = settings(max_examples=20, deadline=None, derandomize=True)


def world_at(start: int, patch: pytest.MonkeyPatch) -> Play:
    world = Play(model(0), rollout=ROLLOUTS[start], replicas=2)
    patch.setattr(judgment, "evaluate", evaluate(world))
    world.run()
    return world


def play(start: int, history: list[Act], check: Callable[[Play], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        for act in history:
            act(world)
            check(world)
            world.reconcile()
            check(world)


def state_of(world: World) -> RolloutStatus:
    return RolloutStatus.model_validate(world.status["rollout"])


def route_weights(world: World, revision: str) -> list[list[int]]:
    """Return the shares that a revision's route file gives, route by route."""
    ref = ObjectRef("v1", "ConfigMap", "demo", f"web-{revision}-routes")
    document = yaml.load(world.children[ref]["data"][ROUTES_FILE], yaml.CSafeLoader)
    found = []
    for route in document["resources"][0]["virtual_hosts"][0]["routes"]:
        shares = route.get("route", {}).get("weighted_clusters", {}).get("clusters")
        if shares:
            found.append([one["weight"] for one in shares])
    return found


def sends_elsewhere(world: World, revision: str) -> bool:
    ref = ObjectRef("v1", "ConfigMap", "demo", f"web-{revision}-routes")
    return ref in world.children and '"value": "10.0.0.' in world.children[ref]["data"][ROUTES_FILE]


def any_ready(world: World, slot: str) -> int:
    """Return how many pods of a slot are ready, of whatever revision."""
    ref = ObjectRef("apps/v1", "Deployment", "demo", "web" if slot == "blue" else "web-green")
    live = world.children.get(ref)
    return int(live["status"].get("availableReplicas") or 0) if live else 0


def ready_pods(world: World, slot: str, revision: str) -> int:
    ref = ObjectRef("apps/v1", "Deployment", "demo", "web" if slot == "blue" else "web-green")
    live = world.children.get(ref)
    if live is None:
        return 0
    labels = live["spec"]["template"]["metadata"]["labels"]
    if labels[REVISION] != revision:
        return 0
    return int(live["status"].get("availableReplicas") or 0)


@given(STARTS, HISTORIES)
@examples
def test_traffic_never_goes_to_a_revision_that_is_not_ready(start: int, history: list[Act]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        for act in history:
            act(world)
            world.reconcile()
            state, candidate = state_of(world), state_of(world).candidate
            if candidate is None or candidate.slot == state.active_slot:
                continue
            if candidate.weight or candidate.matching:
                assert ready_pods(world, candidate.slot, candidate.revision) > 0
            else:
                assert not sends_elsewhere(world, state.stable_revision or "")


@given(STARTS, HISTORIES)
@examples
def test_the_service_turns_to_a_slot_only_when_as_many_pods_are_ready_there_or_none_serves(
    start: int, history: list[Act]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        before = state_of(world)
        for act in history:
            act(world)
            world.reconcile()
            after = state_of(world)
            candidate = after.candidate
            if after.active_slot != before.active_slot and candidate and candidate.promoted:
                ready = ready_pods(world, candidate.slot, candidate.revision)
                none_serves = not any_ready(world, before.active_slot)
                assert ready >= min(candidate.base, 1 if none_serves else world.spec["replicas"])
            before = after


@given(STARTS, HISTORIES)
@examples
def test_weights_always_add_up_to_100(start: int, history: list[Act]) -> None:
    def check(world: Play) -> None:
        state = state_of(world)
        candidate = state.candidate
        mine = candidate.weight if candidate and not candidate.mirror else 0
        assert state.stable_weight + mine == 100
        for one in world.of_kind("ConfigMap"):
            name = one["metadata"]["name"]
            if name.endswith("-routes"):
                for shares in route_weights(world, one["metadata"]["labels"][REVISION]):
                    assert sum(shares) == 100

    play(start, history, check)


@given(STARTS, HISTORIES)
@examples
def test_a_rollback_always_ends_at_stable(start: int, history: list[Act]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        for act in history:
            act(world)
        world.reconcile()
        state = state_of(world)
        candidate = state.candidate
        if candidate is None or state.stable_revision is None:
            return
        request("abort", None)(world)
        world.reconcile()
        world.annotations = {}
        after = state_of(world)
        assert after.stable_revision == state.stable_revision
        assert after.candidate is None or after.candidate.revision != candidate.revision
        stable = after.stable_revision
        world.run()
        world.run(seconds=20)
        assert not sends_elsewhere(world, stable or "")
        live = world.workload["spec"]["template"]["metadata"]["labels"]
        if state_of(world).candidate is None:
            assert live[REVISION] == stable
            assert live[TRACK] == state_of(world).active_slot


@given(STARTS, HISTORIES, st.integers(0, 20))
@examples
def test_any_history_goes_on_after_a_restart_of_the_operator(
    start: int, history: list[Act], at: int
) -> None:
    """Nothing is remembered but the objects: a status that went through the API is enough."""
    with pytest.MonkeyPatch.context() as patch:
        world, twin = world_at(start, patch), world_at(start, patch)
        for index, act in enumerate(history):
            for one in (world, twin):
                patch.setattr(judgment, "evaluate", evaluate(one))
                act(one)
                one.reconcile()
            if index == at:
                text = ModelDeploymentStatus.model_validate(twin.status).to_wire()
                assert text == twin.status
                twin.status = text
                twin.children = deepcopy(twin.children)
        assert world.status == twin.status


@given(STARTS, HISTORIES)
@examples
def test_every_rollout_ends_when_all_is_well_and_nobody_holds_it(
    start: int, history: list[Act]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        for act in history:
            act(world)
        world.annotations.pop("slipway.dev/rollout-paused", None)
        world.annotations.pop("slipway.dev/rollout-abort", None)
        patch.setattr(world, "verdict", "Successful")
        patch.setattr(judgment, "evaluate", evaluate(world))
        for _ in range(12):
            world.run(seconds=61)
            request("promote", (state_of(world).candidate or _Nobody).step)(world)
        state = state_of(world)
        assert state.candidate is None
        assert state.phase in ("Complete", "RolledBack")
        spare = {"blue": "green", "green": "blue"}[state.active_slot]
        ref = ObjectRef("apps/v1", "Deployment", "demo", "web" if spare == "blue" else "web-green")
        if ref in world.children:
            assert world.children[ref]["spec"]["replicas"] == 0
        names = {one["metadata"]["name"] for one in world.of_kind("Service")}
        assert names <= {"web", "web-preview"}


class _Nobody:
    step = 0


@given(STARTS, HISTORIES)
@examples
def test_a_plan_of_a_rollout_that_was_carried_out_leaves_nothing_to_do(
    start: int, history: list[Act]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = world_at(start, patch)
        for act in (*history, *[World.reconcile] * 6):
            act(world)
        kept = deepcopy(world.children), list(world.events)
        made = world.reconcile()
        assert (made.patch, made.delete) == ((), ())
        assert (world.children, list(world.events)) == kept
