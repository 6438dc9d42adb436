"""Served namespaces that may not be read: the others do not wait for them."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from slipway.controller.credentials import ClusterFacts
from slipway.controller.intake.left_out import LeftOut
from slipway.controller.intake.sweeper import watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.client import Client
from slipway.kube.resources import PODS
from slipway.kube.watched.cache import Cache
from slipway.plan import ObjectRef
from slipway.telemetry.health import WatchHealth

SERVED = ("here", "gone")
PATHS = tuple(watched_paths(SERVED))
LAST = tuple(watched_paths(SERVED, PODS))
GONE = frozenset(path for path in PATHS if "/namespaces/gone/" in path)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def left_out(paths: tuple[str, ...] = PATHS) -> tuple[LeftOut, Clock]:
    clock = Clock()
    return LeftOut(paths, LAST, clock), clock


def test_a_namespace_of_which_nothing_may_be_read_is_left_out_after_a_while() -> None:
    found, clock = left_out()
    for path in GONE - set(LAST):
        found.forbidden(path)
    assert found.paths() == frozenset()
    clock.now = 60.0
    assert found.paths() == GONE
    found.answered(next(iter(GONE - set(LAST))))
    assert found.paths() == frozenset()


@given(st.sets(st.sampled_from(sorted(PATHS))))
def test_who_may_read_a_part_of_a_namespace_waits_for_the_rest(forbidden: set[str]) -> None:
    found, clock = left_out()
    for path in forbidden:
        found.forbidden(path)
    clock.now = 60.0
    for name in SERVED:
        mine = {path for path in PATHS if f"/namespaces/{name}/" in path}
        all_of_it = mine - set(LAST) <= forbidden
        assert (mine <= found.paths()) == all_of_it
        assert all_of_it or not mine & found.paths()


def test_of_the_whole_cluster_nothing_is_left_out() -> None:
    found, clock = left_out(tuple(watched_paths(())))
    for path in watched_paths(()):
        found.forbidden(path)
    clock.now = 60.0
    assert found.paths() == frozenset()


async def test_the_other_namespaces_are_worked_on_and_a_return_is_told() -> None:
    cache = Cache()
    facts = ClusterFacts(cast(Client, None), cache, "slipway-store")
    intake = Intake(cache, WorkQueue[ObjectRef](), unlisted=PATHS, last=LAST)
    clock = Clock()
    intake.left_out = LeftOut(PATHS, LAST, clock)
    health = WatchHealth(PATHS, 300.0, left_out=intake.left_out.paths)
    for path in set(PATHS) - GONE:
        intake.answered(path)
        intake.listed(path)
        health.attempt(path)
        health.answer(path, listing=True)
    for clock.now in (0.0, 60.0):
        assert not intake.synced.is_set()
        for path in GONE - set(LAST):
            health.attempt(path)
            intake.forbidden(path)
        waits = health.behind() and health.stale()
        assert bool(waits) == (clock.now == 0.0)
    assert intake.synced.is_set()
    assert facts.owners("gone"), "nobody takes it for a namespace without objects"
    assert not facts.owners("here")
    assert health.behind() == health.stale() == []
    assert not intake._returned.is_set()
    intake.answered(next(iter(GONE)))
    await intake.until_returned()
