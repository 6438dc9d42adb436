"""Admission webhooks that change what is written: it is written once, not again and again."""

import itertools

from slipway.plan import Manifest, Patch, Plan
from tests.unit.controller.fakes import child
from tests.unit.controller.world import World


def mirrored(obj: Manifest) -> None:
    """Have images come from a mirror, as a policy engine does."""
    for container in obj.get("spec", {}).get("containers", ()):
        container["image"] = f"mirror/{container['image'].removeprefix('mirror/')}"


def world() -> World:
    world = World()
    world.api.admit = mirrored
    child_ = child(world.job, "Deployment", "job", "apps/v1")
    world.plan = Plan(apply=({**child_, "spec": {"containers": [{"name": "a", "image": "i:1"}]}},))
    return world


async def test_what_a_webhook_made_of_a_child_is_left_alone() -> None:
    scene = world()
    await scene.reconcile()
    for _ in range(3):
        outcome = await scene.reconcile()
        assert (outcome.result, outcome.revisit) == ("done", None)
    assert [verb for verb, *_ in scene.api.writes] == ["create"]


async def test_a_restarted_operator_applies_it_once_more_and_then_rests() -> None:
    scene = world()
    await scene.reconcile()
    scene.restart()
    outcomes = [await scene.reconcile() for _ in range(3)]
    assert [(one.result, one.revisit) for one in outcomes] == [("done", None)] * 3
    assert [verb for verb, *_ in scene.api.writes] == ["create", "apply"]


async def test_what_is_changed_by_hand_after_a_webhook_is_put_right() -> None:
    scene = world()
    await scene.reconcile()
    ref = next(ref for ref in scene.api.objects if ref.kind == "Deployment")
    by_hand = {"containers": [{"name": "a", "image": "mirror/i:2"}]}
    scene.cache.feed(scene.api.put({**scene.api.objects[ref], "spec": by_hand}))
    assert (await scene.reconcile()).result == "wrote"
    assert scene.api.objects[ref]["spec"]["containers"][0]["image"] == "mirror/i:1"


async def test_a_changed_child_is_applied_through_the_webhook() -> None:
    scene = world()
    await scene.reconcile()
    (before,) = scene.plan.apply
    spec = {"containers": [{"name": "a", "image": "i:2"}]}
    scene.plan = Plan(apply=({**before, "spec": spec},))
    assert (await scene.reconcile()).result == "wrote"
    assert (await scene.reconcile()).result == "done"
    ref = next(ref for ref in scene.api.objects if ref.kind == "Deployment")
    assert scene.api.objects[ref]["spec"]["containers"][0]["image"] == "mirror/i:2"


async def test_a_webhook_that_never_answers_alike_is_followed_and_not_taken_for_settled() -> None:
    scene, numbers = world(), itertools.count()

    def fickle(obj: Manifest) -> None:
        obj["metadata"].setdefault("annotations", {})["seen"] = str(next(numbers))
        mirrored(obj)

    scene.api.admit = fickle
    await scene.reconcile()
    assert [(await scene.reconcile()).result for _ in range(3)] == ["done"] * 3


async def test_a_patch_that_the_server_turns_into_something_else_is_sent_once() -> None:
    scene = world()
    await scene.reconcile()
    ref = next(ref for ref in scene.api.objects if ref.kind == "Deployment")
    scene.plan = Plan(patch=(Patch(ref, {"spec": {"replicas": 5}}),))
    patch = scene.api.patch

    async def bounded(ref_: object, body: Manifest) -> Manifest:
        await patch(ref, {**body, "spec": {"replicas": 3}})
        return scene.api.objects[ref]

    scene.api.patch = bounded  # type: ignore[method-assign,assignment]
    assert [(await scene.reconcile()).result for _ in range(3)] == ["wrote", "done", "done"]
    assert len([verb for verb, *_ in scene.api.writes if verb == "patch"]) == 1
