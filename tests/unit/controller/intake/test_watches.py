"""From watch events to keys: who is woken by what, and how soon."""

import asyncio
from typing import Any, cast

import pytest

from slipway.controller.intake import sweeper as module
from slipway.controller.intake.sweeper import RestoredError, Sweeper
from slipway.controller.intake.watches import Intake
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.client import Client
from slipway.kube.errors import Unavailable
from slipway.kube.resources import CHILDREN, TRAINING_JOBS, Resource
from slipway.kube.watched.cache import Cache
from slipway.kube.watched.identity import uid_of, version_of
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import child, training_job


def at(obj: Manifest, version: int, **meta: Any) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version), **meta}}


def deployment(job: str) -> Manifest:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "model", "namespace": "default", "uid": "m", "resourceVersion": "1"},
        "spec": {"model": {"trainingJob": {"name": job}}},
    }


class Scene:
    def __init__(self) -> None:
        self.cache = Cache()
        self.queue: WorkQueue[ObjectRef] = WorkQueue()
        self.ended = list[str]()
        self.intake = Intake(self.cache, self.queue, self._tell)

    def _tell(self, before: Manifest | None, after: Manifest | None) -> None:
        """Take in the UID of what is told to be gone."""
        if before is not None and after is None:
            self.ended.append(before["metadata"]["uid"])

    async def woken(self) -> set[str]:
        """Return the names of all queued keys, which are taken off the queue."""
        names = set()
        while len(self.queue) or self.queue.waiting:
            key = await asyncio.wait_for(self.queue.get(), 60)
            self.queue.done(key)
            names.add(f"{key.kind}/{key.name}")
        return names


async def test_a_childs_change_and_its_deletion_wake_its_owner() -> None:
    scene = Scene()
    service = at(child(training_job("a"), "Service", "s"), 3, uid="s")
    scene.intake.seen("ADDED", service)
    assert await scene.woken() == {"TrainingJob/a"}
    scene.intake.seen("DELETED", service)
    assert await scene.woken() == {"TrainingJob/a"}


async def test_of_a_child_whose_owner_is_not_there_no_metric_is_told() -> None:
    told: list[str] = []
    cache, queue = Cache(), WorkQueue[ObjectRef]()
    intake = Intake(
        cache, queue, lambda _, obj: told.append(obj["metadata"]["name"] if obj else "")
    )
    job = training_job("a")
    intake.seen("ADDED", at(child(training_job("forged"), "Pod", "forged-0"), 1, uid="f"))
    intake.seen("ADDED", at(job, 2))
    intake.seen("ADDED", at(child(job, "Pod", "a-0"), 3, uid="a0"))
    assert told == ["a", "a-0"]


async def test_an_end_that_an_answer_told_before_the_watch_did_is_followed_up_all_the_same() -> (
    None
):
    scene, job = Scene(), at(training_job("a"), 3, uid="u")
    scene.intake.seen("ADDED", job)
    await scene.woken()
    scene.cache.remove(ObjectRef.of(job), "u")
    scene.intake.seen("DELETED", at(job, 4))
    assert await scene.woken() == {"TrainingJob/a"}
    assert scene.ended == ["u"]


async def test_the_late_word_of_a_predecessors_end_ends_nothing_of_its_namesake() -> None:
    scene = Scene()
    scene.cache.feed(at(training_job("a"), 3, uid="old"))
    scene.cache.feed(at(training_job("a"), 7, uid="new"))
    scene.intake.seen("DELETED", at(training_job("a"), 6, uid="old"))
    assert await scene.woken() == set()
    assert scene.ended == []


async def test_an_event_that_is_no_news_wakes_nobody() -> None:
    scene = Scene()
    job = at(training_job("a"), 3)
    scene.intake.seen("ADDED", job)
    await scene.woken()
    scene.intake.seen("MODIFIED", job)
    assert await scene.woken() == set()


async def test_a_fixed_spec_is_tried_at_once_and_not_after_the_pause_of_the_one_before() -> None:
    scene = Scene()
    job = training_job("a")
    ref = ObjectRef.of(job)
    scene.intake.seen("ADDED", at(job, 3, generation=1))
    for _ in range(8):
        await asyncio.wait_for(scene.queue.get(), 60)
        scene.queue.retry(ref, at_most=0.0)
    await asyncio.wait_for(scene.queue.get(), 60)
    assert scene.queue.retry(ref) > 60
    scene.intake.seen("MODIFIED", at(job, 4, generation=1))
    assert scene.queue.failures(ref) == 9, "a status is no other spec"
    scene.intake.seen("MODIFIED", at(job, 5, generation=2))
    assert await asyncio.wait_for(scene.queue.get(), 60) == ref
    assert scene.queue.failures(ref) == 0
    assert scene.queue.retry(ref) < 5


async def test_a_training_job_wakes_the_deployments_that_serve_it() -> None:
    scene = Scene()
    scene.intake.seen("ADDED", deployment("a"))
    await scene.woken()
    scene.intake.seen("MODIFIED", at(training_job("a"), 3))
    assert await scene.woken() == {"TrainingJob/a", "ModelDeployment/model"}
    scene.intake.seen("MODIFIED", at(training_job("b"), 3))
    assert await scene.woken() == {"TrainingJob/b"}


async def test_a_training_job_wakes_those_that_wait_for_its_archive() -> None:
    scene, student = Scene(), training_job("student")
    wanted = [
        {"name": name, "trainingJob": {"name": job}} for name, job in (("x", "a"), ("y", "a"))
    ]
    student["spec"] = {**student["spec"], "inputs": [*wanted, {"name": "z", "uri": "s3://a/b"}]}
    scene.intake.seen("ADDED", at(student, 1))
    await scene.woken()
    scene.intake.seen("MODIFIED", at(training_job("a"), 3))
    assert await scene.woken() == {"TrainingJob/a", "TrainingJob/student"}
    created = {"type": "Created", "status": "True", "reason": "ChildrenCreated"}
    scene.intake.seen("MODIFIED", {**at(student, 4), "status": {"conditions": [created]}})
    await scene.woken()
    scene.intake.seen("MODIFIED", at(training_job("a"), 60))
    assert await scene.woken() == {"TrainingJob/a"}


async def test_a_status_that_the_operator_wrote_itself_wakes_the_deployments_too() -> None:
    scene = Scene()
    scene.intake.seen("ADDED", deployment("a"))
    await scene.woken()
    written = at(training_job("a"), 4)
    scene.cache.feed(written)
    scene.intake.seen("MODIFIED", written)
    assert await scene.woken() == {"ModelDeployment/model"}


async def test_a_burst_of_events_gives_one_reconcile() -> None:
    scene = Scene()
    for version in range(1, 20):
        scene.intake.seen("MODIFIED", at(child(training_job("a"), "Pod", "p"), version, uid="p"))
    assert scene.queue.waiting == 1


class Listing:
    """A client that lists what it is told to."""

    def __init__(self, items: list[Manifest], version: int) -> None:
        self.items, self.version, self.asked = items, version, asyncio.Event()
        self.listings = 0

    async def uids(self, *_: object) -> tuple[dict[str, int], int]:
        self.listings += 1
        self.asked.set()
        return {uid_of(item): version_of(item) for item in self.items}, self.version


async def test_a_sweep_drops_what_went_away_unseen_and_wakes_its_owner() -> None:
    scene = Scene()
    kept = at(child(training_job("a"), "Service", "kept"), 3, uid="kept")
    gone = at(child(training_job("b"), "Service", "gone"), 4, uid="gone")
    newer = at(child(training_job("c"), "Service", "newer"), 11, uid="newer")
    for obj in (kept, gone, newer):
        scene.cache.feed(obj)
    sweeper = Sweeper(cast(Client, Listing([kept], 10)), scene.cache, scene.intake, ())
    services: Resource = next(resource for resource in CHILDREN if resource.kind == "Service")
    assert await sweeper.sweep(services, "") == 1
    assert scene.cache.get(ObjectRef.of(gone)) is None
    assert scene.cache.get(ObjectRef.of(newer)) is not None
    assert await scene.woken() == {"TrainingJob/b"}


PATH = TRAINING_JOBS.path("")


async def test_only_a_repeated_listing_of_children_asks_for_a_sweep() -> None:
    scene = Scene()
    listing = Listing([], 10)
    sweeper = Sweeper(cast(Client, listing), scene.cache, scene.intake, ())
    running = asyncio.create_task(sweeper.run(3600))
    path = next(iter(CHILDREN)).path("")
    sweeper.listed(path)
    await asyncio.sleep(0)
    assert not listing.asked.is_set()
    sweeper.listed(path)
    await asyncio.wait_for(listing.asked.wait(), 60)
    running.cancel()


async def test_our_own_kinds_are_listed_once_kopf_has_handed_over_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_HANDED_OVER_SECONDS", 0.0)
    cache, queue = Cache(), WorkQueue[ObjectRef]()
    intake = Intake(cache, queue, unlisted=(PATH,))
    jobs = [at(training_job(name), 1, uid=name) for name in "ab"]
    listing = Listing(jobs, 10)
    sweeper = Sweeper(cast(Client, listing), cache, intake, ())
    running = asyncio.create_task(sweeper.run(3600))
    intake.seen(None, jobs[0])
    sweeper.listed(PATH)
    await asyncio.wait_for(listing.asked.wait(), 60)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not intake.synced.is_set()
    assert listing.listings == 1, "10,000 objects are not listed again until all are handed over"
    intake.seen(None, jobs[1])
    await asyncio.wait_for(intake.synced.wait(), 60)
    assert {(await queue.get()).name, (await queue.get()).name} == {"a", "b"}
    running.cancel()


async def test_an_object_that_goes_while_kopf_hands_over_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_HANDED_OVER_SECONDS", 0.0)
    monkeypatch.setattr(module, "_RELIST_SECONDS", 0.01)
    cache, queue = Cache(), WorkQueue[ObjectRef]()
    intake = Intake(cache, queue, unlisted=(PATH,))
    listing = Listing([at(training_job("a"), 1, uid="a")], 10)
    sweeper = Sweeper(cast(Client, listing), cache, intake, ())
    running = asyncio.create_task(sweeper.run(3600))
    sweeper.listed(PATH)
    await asyncio.wait_for(listing.asked.wait(), 60)
    listing.items = []
    await asyncio.wait_for(intake.synced.wait(), 60)
    running.cancel()


async def test_a_sweep_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "backoff", lambda _: 0.0)
    scene, asked = Scene(), asyncio.Event()
    answers: list[Any] = [Unavailable("away"), ({}, 10)]

    class Failing:
        async def uids(self, *_: object) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Unavailable):
                raise answer
            asked.set()
            return answer

    sweeper = Sweeper(cast(Client, Failing()), scene.cache, scene.intake, ())
    running = asyncio.create_task(sweeper.run(3600))
    sweeper.listed(PATH)
    await asyncio.wait_for(asked.wait(), 60)
    running.cancel()


async def test_nobody_is_woken_before_all_collections_are_listed() -> None:
    cache, queue = Cache(), WorkQueue[ObjectRef]()
    intake = Intake(cache, queue, unlisted=(PATH, "/jobs", "/pods"))
    intake.seen(None, at(training_job("a"), 1))
    intake.listed(PATH)
    intake.listed("/jobs")
    intake.seen("ADDED", at(child(training_job("a"), "Service", "s"), 3, uid="s"))
    assert not intake.synced.is_set()
    assert len(queue) + queue.waiting == 0
    intake.listed("/pods")
    assert intake.synced.is_set()
    assert (await asyncio.wait_for(queue.get(), 60)).name == "a"


async def test_the_owners_are_listed_when_only_what_comes_last_is_left() -> None:
    intake = Intake(
        Cache(), WorkQueue[ObjectRef](), unlisted=(PATH, "/jobs", "/pods"), last=("/pods",)
    )
    intake.listed(PATH)
    assert not intake.owners_listed.is_set()
    intake.listed("/jobs")
    assert intake.owners_listed.is_set()
    assert not intake.synced.is_set()


async def test_a_child_that_left_the_watch_by_its_labels_is_known_again_when_they_are_back() -> (
    None
):
    scene, job = Scene(), training_job("a")
    batch = child(job, "Job", "a-train", "batch/v1")
    scene.intake.seen("ADDED", at(batch, 3, uid="j"))
    scene.intake.seen("DELETED", at(batch, 4, uid="j", labels={}))
    scene.intake.seen("MODIFIED", at(batch, 2, uid="j"))
    assert not scene.cache.children(job).items
    scene.intake.seen("ADDED", at(batch, 5, uid="j"))
    assert [ref.name for ref in scene.cache.children(job).items] == ["a-train"]


async def test_a_child_that_a_sweep_did_not_find_is_known_again_when_it_comes_back() -> None:
    scene, job = Scene(), training_job("a")
    service = child(job, "Service", "s")
    scene.cache.feed(at(service, 3, uid="s"))
    services = next(one for one in CHILDREN if one.kind == "Service")
    sweeper = Sweeper(cast(Client, Listing([], 10)), scene.cache, scene.intake, ())
    assert await sweeper.sweep(services, "") == 1
    assert not scene.cache.feed(at(service, 9, uid="s"))
    assert scene.cache.feed(at(service, 11, uid="s"))


def restored(listed: int, version: int, known: int) -> Sweeper:
    """Return who compares a service that is known at one version and listed at another."""
    scene = Scene()
    service = child(training_job("a"), "Service", "s")
    scene.cache.feed(at(service, known, uid="s"))
    listing = Listing([at(service, listed, uid="s")], version)
    return Sweeper(cast(Client, listing), scene.cache, scene.intake, ())


SERVICES = next(one for one in CHILDREN if one.kind == "Service")


@pytest.mark.parametrize(("listed", "version", "known"), [(3, 10, 7), (3, 10, 10)])
async def test_a_list_with_an_object_older_than_the_list_could_have_it_tells_of_a_restored_cluster(
    listed: int, version: int, known: int
) -> None:
    with pytest.raises(RestoredError, match="/api/v1/services was restored to an earlier state"):
        await restored(listed, version, known).sweep(SERVICES, "")


@pytest.mark.parametrize(("listed", "version", "known"), [(3, 10, 11), (7, 10, 7), (9, 10, 7)])
async def test_a_list_that_is_older_or_newer_than_what_is_known_is_nothing_odd(
    listed: int, version: int, known: int
) -> None:
    assert await restored(listed, version, known).sweep(SERVICES, "") == 0


async def test_a_list_that_is_older_than_the_one_before_tells_of_a_restored_cluster() -> None:
    scene, listing = Scene(), Listing([], 10)
    sweeper = Sweeper(cast(Client, listing), scene.cache, scene.intake, ())
    for listing.version in (10, 10, 12):
        assert await sweeper.sweep(SERVICES, "") == 0
    listing.version = 11
    other = next(one for one in CHILDREN if one.kind == "ConfigMap")
    assert await sweeper.sweep(other, "") == 0, "each collection has its own versions"
    sweeper.listed(SERVICES.path(""))
    sweeper.listed(SERVICES.path(""))
    with pytest.raises(RestoredError):
        await asyncio.wait_for(sweeper.run(3600), 60)
