"""What the operator keeps of single objects: after a listing, of those that are there alone."""

import asyncio
import itertools
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.controller.gauges import Sources, add_gauges
from slipway.controller.intake.sweeper import Sweeper, watched_paths
from slipway.controller.intake.watches import Intake
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.client import Client
from slipway.kube.resources import Resource
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.identity import uid_of, version_of
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.health import WatchHealth
from slipway.telemetry.metrics import Metrics
from tests.unit.controller.fakes import child, training_job

KINDS = ("TrainingJob", "ModelDeployment", "Job", "Pod", "Service")
FORMER = {"_tombstones", "_gone_pods"}
"""What is kept of deleted objects on purpose, of no more than a fixed number of them."""


@pytest.fixture(scope="module", autouse=True)
def silent() -> Iterator[None]:
    """Log nothing: each object that cannot be taken in has a traceback."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@dataclass(frozen=True)
class Change:
    """Something that happens; ``missed``: no watch tells of it.

    ``number`` is which of two namesakes in turn an object is of, or which one is deleted.
    """

    what: str
    kind: str
    number: int
    state: int
    missed: bool


CHANGES = st.lists(
    st.builds(
        Change,
        st.sampled_from(["put", "put", "delete", "relist"]),
        st.sampled_from(KINDS),
        st.integers(0, 7),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=25,
)


def made(change: Change) -> Manifest:
    """Return an object in one of four states, of which the operator cannot take in the last."""
    name = f"{change.kind}-{change.number % 2}"
    owner = training_job(f"TrainingJob-{change.number // 2 % 2}")
    if change.kind == "TrainingJob":
        obj = training_job(name)
    elif change.kind == "ModelDeployment":
        obj = {**training_job(name), "kind": "ModelDeployment"}
        models: tuple[Manifest, ...] = (
            {"trainingJob": {"name": "TrainingJob-0"}},
            {"trainingJobSelector": {}},
        )
        reason = ("WaitingForTurn", "Following")[change.state % 2]
        told = {"type": "FollowsRelease", "status": "False", "reason": reason}
        obj |= {"spec": {"model": models[change.state % 2]}, "status": {"conditions": [told]}}
    else:
        version = "batch/v1" if change.kind == "Job" else "v1"
        obj = child(owner, change.kind, name, version)
    ends = [{"type": "Succeeded", "status": "True"}, {"type": "Complete", "status": "True"}]
    if change.state == 2 and change.kind in ("TrainingJob", "Job"):
        status = {"phase": "Succeeded", "package": {"uri": "s3://a/b"}, "conditions": ends}
        obj = {**obj, "status": status}
    if change.state == 3:
        odd = {"Pod": {"containers": [{"name": "c", "env": [{}]}]}}
        obj = {**obj, "spec": odd.get(change.kind, obj.get("spec") or {})}
        obj |= {"status": {"conditions": ["no object"]}} if change.kind != "Service" else {}
    return obj


class AtOnce(WorkQueue[ObjectRef]):
    """A queue in which nothing is put off."""

    def add(self, key: ObjectRef, after: float = 0.0, *, background: bool = False) -> None:
        super().add(key, 0.0, background=background)

    async def taken(self) -> list[ObjectRef]:
        """Take all keys off the queue, which are then being worked on."""
        return [await asyncio.wait_for(self.get(), 60) for _ in range(len(self))]


class World:
    """A cluster, its objects by reference, and what an operator has heard of it."""

    def __init__(self) -> None:
        self.live: dict[ObjectRef, Manifest] = {}
        self.cache, self.queue, self.metrics = Cache(), AtOnce(), Metrics()
        tell, handling = self.metrics.object_changed, self.metrics.handling
        self.intake = Intake(self.cache, self.queue, tell, handling=handling)
        health = WatchHealth((), 300.0)
        add_gauges(self.metrics, Sources(self.cache, self.queue, health, lambda: True))
        self._sweeper = Sweeper(cast(Client, self), self.cache, self.intake, ())
        self._versions = itertools.count(1)
        self._uids = map("uid-{:04}".format, itertools.count(1))
        self.made: set[str] = set()

    async def uids(self, resource: Resource, *_: object) -> tuple[dict[str, int], int]:
        found = (obj for ref, obj in self.live.items() if ref.kind == resource.kind)
        return {uid_of(obj): version_of(obj) for obj in found}, next(self._versions)

    async def play(self, change: Change) -> None:
        if change.what == "relist":
            await self.relist()
        elif change.what == "delete":
            there = list(self.live)
            gone = self.live.pop(there[change.number % len(there)]) if there else None
            if gone is not None and not change.missed:
                self.intake.seen("DELETED", self._at(gone, uid_of(gone)))
        else:
            self._put(change)
        await self.work(fails=change.state < 2)
        await self.scrape()

    def _put(self, change: Change) -> None:
        obj = made(change)
        ref = ObjectRef.of(obj)
        before = self.live.get(ref)
        # Else another one of its name has followed it, and nobody has seen its end.
        uid = uid_of(before) if before and change.number < 6 else next(self._uids)
        self.made.add(uid)
        self.live[ref] = new = self._at(obj, uid)
        if not change.missed:
            self.intake.seen("MODIFIED" if before else "ADDED", new)

    def _at(self, obj: Manifest, uid: str) -> Manifest:
        meta = {**obj["metadata"], "uid": uid, "resourceVersion": str(next(self._versions))}
        return {**obj, "metadata": meta}

    async def relist(self) -> None:
        """Do what the watches do that begin with a new list."""
        list(self.cache.unsettled())
        for obj in self.live.values():
            self.intake.seen("ADDED", obj)
        for place in watched_paths(()).values():
            await self._sweeper.sweep(*place)

    async def work(self, *, fails: bool) -> None:
        """Do what workers do: what fails is tried again, and what is gone is done with."""
        for key in await self.queue.taken():
            if fails and key in self.cache:
                self.queue.retry(key)
            else:
                self.queue.done(key)

    async def scrape(self) -> None:
        """Have the metrics follow what is known."""
        async for _ in self.metrics.page():
            pass

    def tables(self) -> list[Any]:
        """Return all that knows single objects."""
        followers, samples = self.metrics._followers, self.metrics._samples
        return [self.cache, self.queue, self.intake, followers, samples]


def texts(found: Any, seen: set[int]) -> Iterator[str]:
    """Yield all texts that can be reached from a piece of the operator, but for former objects."""
    if isinstance(found, str):
        yield found
    if isinstance(found, (str, bytes, int, float, type)) or found is None or id(found) in seen:
        return
    seen.add(id(found))
    if isinstance(found, Mapping):
        parts: list[Any] = [*found.keys(), *found.values()]
    elif isinstance(found, (list, tuple, set, frozenset)):
        parts = list(found)
    else:
        slots = [name for kind in type(found).__mro__ for name in getattr(kind, "__slots__", ())]
        kept = {name: getattr(found, name, None) for name in slots} | getattr(found, "__dict__", {})
        ours = any(kind.__module__.startswith("slipway") for kind in type(found).__mro__)
        parts = [value for name, value in kept.items() if name not in FORMER] if ours else []
    for part in parts:
        yield from texts(part, seen)


@given(CHANGES)
def test_after_a_listing_every_table_holds_objects_alone_that_are_there(
    changes: list[Change],
) -> None:
    async def play() -> None:
        world = World()
        for change in changes:
            await world.play(change)
        await world.relist()
        await world.work(fails=False)
        await world.scrape()
        live = {uid_of(obj) for obj in world.live.values()}
        known = set(texts(world.tables(), set()))
        assert known & world.made <= live, "nothing is kept of what is gone"
        mentioned = json.dumps(list(world.live.values()))
        names = {f"{kind}-{number}" for kind in KINDS for number in range(2)}
        assert all(name in mentioned for name in known & names), "nor of who names it"
        for ref, obj in world.live.items():
            if ref.kind == "Service":
                assert world.cache.get(ref) == obj, "what is there is known"
        if not world.live:
            assert len(world.cache) == world.cache.room.taken("default") == 0

    asyncio.run(play())
