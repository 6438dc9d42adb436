"""The memory that one namespace's objects may take: beyond it that namespace has outlines alone."""

import random
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from slipway.kube.watched.cache import Cache
from slipway.kube.watched.room import NO_LIMIT, share
from slipway.manifests import UNREADABLE
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import child, reference, training_job

MIB = 1 << 20
MOST = MIB
COUNT = 50


def letters(count: int, seed: int) -> str:
    """Return a text that cannot be compressed much."""
    return b64encode(random.Random(seed).randbytes(count * 3 // 4)).decode()  # noqa: S311


def of(namespace: str, obj: Manifest, version: int, **meta: Any) -> Manifest:
    more = {"namespace": namespace, "resourceVersion": str(version), **meta}
    return {**obj, "metadata": {**obj["metadata"], **more}}


def jobs(value: Callable[[int], Any]) -> Iterator[Manifest]:
    for number in range(COUNT):
        template = {"spec": {"affinity": {"x": value(number)}}}
        job = training_job(f"job-{number}", podTemplate=template)
        yield {**job, "metadata": {**job["metadata"], "annotations": {"a": letters(9000, number)}}}


def config_maps() -> Iterator[Manifest]:
    for number in range(COUNT):
        data = {"text": letters(200_000, number)}
        yield child(training_job(), "ConfigMap", f"c-{number}", data=data)


def pods() -> Iterator[Manifest]:
    many = [{"name": "variable", "value": "x"}] * 500
    container = {"name": "c", "image": "i", "env": many}
    for number in range(COUNT):
        pod = child(training_job(), "Pod", f"p-{number}", spec={"containers": [container] * 2})
        pod["metadata"]["labels"] |= {f"{number}.example.com/{n * 7919}": "x" for n in range(5000)}
        yield pod


def packaged() -> Iterator[Manifest]:
    for number in range(COUNT):
        job = training_job(f"job-{number}")
        job["metadata"]["labels"] = {f"{number}-{n}": "x" for n in range(3000)}
        done = {"type": "Succeeded", "status": "True"}
        yield {**job, "status": {"phase": "Succeeded", "package": {"n": 1}, "conditions": [done]}}


def owned_by_many() -> Iterator[Manifest]:
    for number in range(COUNT):
        service = child(training_job(), "Service", f"s-{number}")
        owner = {**reference(training_job()), "uid": letters(300_000, number)}
        service["metadata"]["ownerReferences"] = [owner]
        yield service


HOSTILE: dict[str, Callable[[], Iterator[Manifest]]] = {
    "text": lambda: jobs(lambda number: letters(200_000, number)),
    "maps": lambda: jobs(lambda _: [{} for _ in range(6000)]),
    "lists": lambda: jobs(lambda _: [[[]] for _ in range(4000)]),
    "values": lambda: jobs(lambda number: [f"{number}-{n}" for n in range(2500)]),
    "config-maps": config_maps,
    "pods": pods,
    "packaged": packaged,
    "owned-by-many": owned_by_many,
}


def flood(cache: Cache, objects: Iterator[Manifest]) -> None:
    for number, obj in enumerate(objects, 2):
        text = to_json(of("flood", obj, number, uid=f"u-{number}"))
        cache.feed(from_json(text, cache_strings="none"))


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_what_one_namespace_writes_takes_its_share_of_memory_and_nobody_elses(
    hostile: Callable[[], Iterator[Manifest]],
) -> None:
    cache, victim = Cache(MOST), of("victim", training_job(), 1, uid="victim")
    tracemalloc.start()
    flood(cache, hostile())
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert MOST / 4 < taken < MOST * 1.5
    assert sum(1 for _ in cache.room.outlines()) == 1, "the share is used up"
    cache.feed(victim)
    assert cache.get(ObjectRef.of(victim)) == victim
    assert not cache.outlines(ObjectRef.of(victim))


def test_an_outline_tells_which_object_it_is_of_and_how_its_status_was() -> None:
    cache = Cache(1)
    status = {"phase": "Succeeded", "conditions": [{"type": "Succeeded", "status": "True"}]}
    job = {**of("a", training_job(), 7), "status": status}
    cache.feed(job)
    kept = cache.get(ObjectRef.of(job))
    assert kept is not None
    assert kept["status"] == status
    assert kept["metadata"]["generation"] == 1
    assert kept["metadata"]["resourceVersion"] == "7"
    assert list(kept["spec"]) == [UNREADABLE]
    assert "namespace a take more" in kept["spec"][UNREADABLE]
    assert list(cache.uids("TrainingJob")) == [(ObjectRef.of(job), "uid-of-job", 7)]


def test_a_child_in_outline_still_is_its_owners_and_still_has_ended() -> None:
    cache, job = Cache(4000), of("a", training_job(), 1)
    cache.feed(job)
    text = {"annotations": {"text": letters(9000, 1)}}
    batch = child(job, "Job", "job-train", "batch/v1", status={"conditions": [COMPLETE]})
    cache.feed(of("a", batch, 2, uid="b", **text))
    pod = child(job, "Pod", "p", status={"phase": "Failed"}, spec={})
    owner = reference(of("a", batch, 2, uid="b"))
    cache.feed(of("a", pod, 3, uid="p", ownerReferences=[owner], **text))
    children = cache.children(job)
    assert {ref.name for ref in cache.outlines(ObjectRef.of(job))} == {"job-train", "p"}
    assert [one["status"]["phase"] for one in children.of_kind("Pod")] == ["Failed"]
    (known,) = children.of_kind("Job")
    assert known["status"] == {"conditions": [{"type": "Complete", "status": "True"}]}
    cache.feed({**of("a", training_job(), 4), "status": {"conditions": [SUCCEEDED]}})
    assert not cache.outlines(ObjectRef.of(job)), "of what has ended no more than that is kept"


COMPLETE = {"type": "Complete", "status": "True", "message": "x" * 100}
SUCCEEDED = {"type": "Succeeded", "status": "True"}


def test_a_heavy_pod_that_is_deleted_is_not_remembered() -> None:
    cache, job = Cache(), training_job()
    batch = of("default", child(job, "Job", "job-train", "batch/v1"), 2, uid="j")
    cache.feed(of("default", job, 1))
    cache.feed(batch)
    texts = {"light": letters(10, 1), "heavy": letters(200_000, 1), "folded": "x" * 200_000}
    for name, text in texts.items():
        notes = {"annotations": {"text": text}}
        pod = child(job, "Pod", name, spec={}, status={"phase": "Failed"})
        pod = of("default", pod, 3, uid=name, ownerReferences=[reference(batch)], **notes)
        cache.feed(pod)
        cache.remove(ObjectRef.of(pod), name)
    assert [pod["metadata"]["name"] for pod in cache.children(job).gone] == ["light"]


def trained_by(count: int, notes: dict[str, str]) -> Iterator[Manifest]:
    """Yield a TrainingJob, its Job and its pods."""
    job = of("a", training_job(), 1)
    batch = of("a", child(job, "Job", "job-train", "batch/v1"), 2, uid="b")
    yield from (job, batch)
    for number in range(count):
        pod = child(job, "Pod", f"p-{number}", spec={}, status={"phase": "Running"})
        meta = {"ownerReferences": [reference(batch)], "annotations": notes}
        yield from_json(to_json(of("a", pod, 3, uid=f"p-{number}", **meta)), cache_strings="none")


def test_an_object_that_cannot_be_read_with_its_children_is_told_from_a_large_one() -> None:
    job = ObjectRef.of(of("a", training_job(), 1))
    many = {f"note-{number}": "" for number in range(15_000)}
    for count, notes, fits in ((1024, {"note": "x" * 1000}, True), (64, many, False)):
        cache = Cache(share(256 * MIB, 25))
        for obj in trained_by(count, notes):
            cache.feed(obj)
        assert not cache.outlines(job), "there is room for them while they are folded"
        assert cache.fits_at_once(job) == fits


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["a", "b"]), st.integers(-1, 8000)), max_size=40
)


@given(STEPS, st.integers(0, 30_000))
def test_all_room_is_given_back_and_a_version_that_has_no_room_yet_is_taken_in_later(
    steps: list[tuple[int, str, int]], most: int
) -> None:
    cache, live = Cache(most), dict[ObjectRef, Manifest]()
    for version, (number, namespace, size) in enumerate(steps, 1):
        job = training_job(f"job-{number}", args=[letters(max(size, 0), version)])
        obj = of(namespace, job, version, uid=f"{namespace}-{number}")
        ref = ObjectRef.of(obj)
        if size >= 0:
            cache.feed(obj)
            live[ref] = obj
        elif live.pop(ref, None):
            cache.remove(ref, obj["metadata"]["uid"], version)
        for known, newest in live.items():
            assert cache.get(known) == newest or cache.outlines(known) == [known]
    for ref, obj in live.items():
        lacks, fits = bool(cache.outlines(ref)), cache.fit([ref])
        assert cache.feed(obj) == lacks, "only what is not known as a whole is news"
        assert bool(cache.outlines(ref)) == (lacks and not fits)
    for ref, obj in live.items():
        cache.remove(ref, obj["metadata"]["uid"])
    assert [cache.room.taken(namespace) for namespace in "ab"] == [0, 0]
    assert not list(cache.room.outlines())


@pytest.mark.parametrize(("limit", "most"), [(256 * MIB, 64 * MIB), (None, NO_LIMIT // 4)])
def test_a_namespaces_share_follows_from_the_containers_limit(limit: int | None, most: int) -> None:
    assert share(limit, 25) == most
