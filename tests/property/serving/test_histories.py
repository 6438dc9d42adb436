"""What holds of a ModelDeployment whatever happens to it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.api.serving.deployment import ModelDeploymentStatus
from slipway.manifests import REVISION
from slipway.serving import reasons
from tests.unit.serving.world import (
    JOB_MODEL,
    SHA,
    World,
    fetch_word,
    init_status,
    main_status,
    terminated,
    training_job,
    waiting,
)

Act = Callable[[World], object]

MODELS: list[dict[str, Any]] = [
    {"uri": "s3://slipway/shared/iris.mar", "sha256": SHA},
    {"uri": "https://models.example/iris.mar", "sha256": "cd" * 32, "name": "flowers"},
    JOB_MODEL,
]
AUTOSCALINGS = [None, {"minReplicas": 1, "maxReplicas": 3}, {"minReplicas": 3, "maxReplicas": 6}]
TROUBLES: list[dict[str, Any]] = [
    {},
    init_status("fetch", state=terminated(1, fetch_word("DigestMismatch"))),
    init_status("fetch", state=waiting("ImagePullBackOff")),
    main_status("torchserve", state=waiting("CrashLoopBackOff"), lastState=terminated(1, "no")),
]
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def change(**spec: Any) -> Act:
    return lambda world: world.change(**spec)


def job_is(phase: str | None, uid: str) -> Act:
    def act(world: World) -> None:
        world.job = training_job(phase, uid) if phase else None

    return act


def controller(updated: int, available: int, old: int, stuck: bool) -> Act:
    """Let the Deployment controller report; every reported pod of the live revision exists."""

    def act(world: World) -> None:
        if not world.of_kind("Deployment"):
            return
        conditions = (STUCK,) if stuck else ()
        world.pods_are(updated, min(available, updated + old), old, conditions)

    return act


def pod(number: int, trouble: dict[str, Any]) -> Act:
    """Let a pod of the live revision be there, in trouble or not."""

    def act(world: World) -> None:
        if world.of_kind("Deployment"):
            world.add_pod(f"web-{number}", **trouble)

    return act


def pod_gone(world: World) -> None:
    for each in world.of_kind("Pod")[:1]:
        world.children = {ref: one for ref, one in world.children.items() if one is not each}


def autoscaled(replicas: int) -> Act:
    """Let the autoscaler write replicas, if there is one."""

    def act(world: World) -> None:
        if world.of_kind("HorizontalPodAutoscaler") and world.of_kind("Deployment"):
            world.workload["spec"]["replicas"] = replicas
            world.workload["metadata"]["generation"] += 1

    return act


def workload_lost(world: World) -> None:
    world.children = {ref: o for ref, o in world.children.items() if ref.kind != "Deployment"}


COUNTS = st.integers(0, 3)
ACTS: st.SearchStrategy[Act] = st.one_of(
    st.just(World.reconcile),
    st.sampled_from([change(model=model) for model in MODELS]),
    st.sampled_from([change(server={"workers": workers}) for workers in (1, 2)]),
    st.sampled_from([change(replicas=replicas) for replicas in (0, 1, 4)]),
    st.sampled_from([change(autoscaling=autoscaling) for autoscaling in AUTOSCALINGS]),
    st.just(change(expose={"service": {"port": 8080}})),
    st.builds(
        job_is,
        st.sampled_from([None, "Pending", "Running", "Failed", "Succeeded"]),
        st.sampled_from(["job-1", "job-2"]),
    ),
    st.builds(controller, COUNTS, COUNTS, st.integers(0, 1), st.booleans()),
    st.builds(pod, COUNTS, st.sampled_from(TROUBLES)),
    st.just(pod_gone),
    st.builds(autoscaled, st.integers(1, 6)),
    st.just(workload_lost),
)
HISTORIES = st.lists(ACTS, max_size=25)
WORLDS = st.builds(World, st.sampled_from(MODELS))
examples = settings(max_examples=200, deadline=None, derandomize=True)


@given(WORLDS, HISTORIES)
@examples
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(world: World, history: list[Act]) -> None:
    for act in (*history, World.reconcile, World.reconcile, World.reconcile):
        act(world)
    children, status, events = deepcopy(world.children), world.status, list(world.events)
    made = world.reconcile()
    assert (made.patch, made.delete) == ((), ())
    assert (world.children, world.status, world.events) == (children, status, events)


@given(WORLDS, HISTORIES)
@examples
def test_an_autoscalers_number_is_never_written_over(world: World, history: list[Act]) -> None:
    for act in history:
        act(world)
        auto = world.spec.get("autoscaling")
        if auto is None or not world.of_kind("Deployment"):
            continue
        if world.workload["spec"]["replicas"] > 0:
            assert world.plan().patch == ()


@given(WORLDS, HISTORIES)
@examples
def test_config_maps_that_a_pod_or_the_live_template_needs_are_never_deleted(
    world: World, history: list[Act]
) -> None:
    for act in history:
        before = {one["metadata"]["labels"][REVISION] for one in world.of_kind("ConfigMap")}
        needed = {one["metadata"]["labels"][REVISION] for one in world.of_kind("Pod")} & before
        act(world)
        left = [one["metadata"]["labels"][REVISION] for one in world.of_kind("ConfigMap")]
        assert needed <= set(left)
        if world.of_kind("Deployment"):
            assert left.count(world.revision) == 2


@given(WORLDS, HISTORIES)
@examples
def test_the_status_never_contradicts_itself(world: World, history: list[Act]) -> None:
    for act in (*history, World.reconcile):
        act(world)
        if world.status:
            check_status(world)


def check_status(world: World) -> None:
    status = ModelDeploymentStatus.model_validate(world.status)
    held = {one.type: one.status == "True" for one in status.conditions}
    why = {one.type: one.reason for one in status.conditions}
    assert list(held) == ["ModelReady", "Progressing", "Available", "Ready"]
    assert all(one.message for one in status.conditions)
    if held["Ready"]:
        assert held["ModelReady"]
        assert held["Available"]
        assert not held["Progressing"]
        assert status.ready_replicas > 0
        assert status.model
    else:
        assert why["Ready"] != reasons.SERVING
    assert held["Available"] == (status.ready_replicas > 0)
    assert (status.url is None) == (status.revision is None)
    assert status.updated_replicas <= status.replicas


@given(WORLDS, HISTORIES)
@examples
def test_every_warning_event_follows_from_a_condition(world: World, history: list[Act]) -> None:
    for act in history:
        act(world)
        made = world.reconcile()
        told = {event.reason for event in made.events}
        assert len(told) == len(made.events)
        assert told <= {one["reason"] for one in world.status["conditions"]}
