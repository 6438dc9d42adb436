"""The cache: newer versions win, what is gone stays gone, and children belong to one owner."""

import asyncio
from itertools import permutations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.controller.intake.watches import Intake
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.client import Client
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.apply import Writer
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import CREDENTIALS, FakeClient, child, reference, training_job


def at(obj: Manifest, version: int, **meta: Any) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version), **meta}}


def test_an_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    job = training_job()
    assert cache.feed(at(job, 2))
    assert not cache.feed(at(job, 1))
    assert not cache.feed(at(job, 2))
    assert cache.feed(at(job, 10))
    assert cache.get(ObjectRef.of(job)) == at(job, 10)


def test_a_late_answer_does_not_bring_a_deleted_object_back() -> None:
    cache = Cache()
    job = at(training_job(), 1)
    cache.feed(job)
    assert cache.remove(ObjectRef.of(job), job["metadata"]["uid"])
    assert not cache.feed(at(job, 5))
    assert cache.get(ObjectRef.of(job)) is None


def test_the_deletion_of_a_predecessor_leaves_its_namesake() -> None:
    cache = Cache()
    old, new = at(training_job(), 1, uid="old"), at(training_job(), 7, uid="new")
    cache.feed(old)
    cache.feed(new)
    assert not cache.remove(ObjectRef.of(old), "old")
    assert cache.get(ObjectRef.of(new)) == new


def test_a_namesakes_children_are_not_the_objects_own() -> None:
    cache = Cache()
    job = training_job()
    predecessor = at(job, 1, uid="before")
    cache.feed(at(child(job, "Service", "mine"), 2, uid="s1"))
    cache.feed(at(child(predecessor, "Service", "theirs"), 2, uid="s2"))
    assert [ref.name for ref in cache.children(job).items] == ["mine"]


def test_a_deleted_pod_is_remembered_as_it_was_as_long_as_its_job_is_there() -> None:
    cache = Cache()
    job = training_job()
    batch = at(child(job, "Job", "job-train", "batch/v1"), 2, uid="j1")
    pod = at(child(job, "Pod", "p"), 3, uid="p", ownerReferences=[reference(batch)])
    cache.feed(at(job, 1))
    cache.feed(batch)
    spec = {"containers": [], "nodeName": "n1"}
    cache.feed({**pod, "spec": spec, "status": {"phase": "Failed"}})
    cache.remove(ObjectRef.of(pod), "p")
    assert [one["status"] for one in cache.children(job).gone] == [{"phase": "Failed"}]
    assert [one["spec"] for one in cache.children(job).gone] == [{"nodeName": "n1"}]
    cache.remove(ObjectRef.of(batch), "j1")
    assert cache.children(job).gone == ()


@pytest.mark.parametrize("order", list(permutations(("owner", "job", "pod"))))
def test_of_an_owner_that_is_gone_no_deleted_pod_is_remembered(order: tuple[str, ...]) -> None:
    cache, job = Cache(), training_job()
    batch = at(child(job, "Job", "job-train", "batch/v1"), 2, uid="j1")
    pod = at(child(job, "Pod", "p"), 3, uid="p", ownerReferences=[reference(batch)])
    objects = {"owner": at(job, 1), "job": batch, "pod": pod}
    for obj in objects.values():
        cache.feed(obj)
    for name in order:
        cache.remove(ObjectRef.of(objects[name]), objects[name]["metadata"]["uid"])
    assert len(cache._gone_pods._owners) == len(cache._gone_pods._pods) == 0


def test_what_no_watch_covers_is_not_known_once_its_owner_is_gone() -> None:
    cache, job = Cache(), training_job()
    cache.feed(at(job, 1))
    cache.remove(ObjectRef.of(job), job["metadata"]["uid"])
    group = at(child(job, "PodGroup", "g", "scheduling.volcano.sh/v1beta1"), 2, uid="g")
    assert not cache.feed(group), "the answer to a write that was under way"
    assert len(cache) == 0


def test_what_no_watch_covers_is_forgotten_with_its_owner() -> None:
    cache = Cache()
    job = training_job()
    cache.feed(at(job, 1))
    group = at(child(job, "PodGroup", "g", "scheduling.volcano.sh/v1beta1"), 2, uid="g")
    cache.feed(group)
    cache.remove(ObjectRef.of(job), job["metadata"]["uid"])
    assert cache.get(ObjectRef.of(group)) is None


def test_pods_belong_to_the_owner_of_their_job() -> None:
    cache = Cache()
    job = training_job()
    batch = at(child(job, "Job", "job-train", "batch/v1"), 2, uid="j1")
    cache.feed(batch)
    for name, parent in (("mine", batch), ("theirs", at(batch, 1, uid="another"))):
        cache.feed(at(child(job, "Pod", name), 3, uid=name, ownerReferences=[reference(parent)]))
    assert [pod["metadata"]["name"] for pod in cache.children(job).of_kind("Pod")] == ["mine"]


def test_who_asks_for_one_kind_of_children_gets_no_other() -> None:
    cache = Cache()
    job = training_job()
    batch = at(child(job, "Job", "job-train", "batch/v1"), 2, uid="j1")
    cache.feed(batch)
    cache.feed(at(child(job, "Service", "job"), 3, uid="s1"))
    cache.feed(at(child(job, "Pod", "pod"), 4, uid="p1", ownerReferences=[reference(batch)]))
    assert {ref.name for ref in cache.children(job).items} == {"job-train", "job", "pod"}
    assert [ref.name for ref in cache.children(job, "Pod").items] == ["pod"]


def test_a_deployments_pods_are_known_by_their_age() -> None:
    cache = Cache()
    job = training_job()
    owner = {"kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}
    for name, born in (("old", "2025-12-31T23:59:59Z"), ("new", "2026-01-01T00:00:01Z")):
        pod = child(job, "Pod", name)
        cache.feed(at(pod, 3, uid=name, ownerReferences=[owner], creationTimestamp=born))
    assert [ref.name for ref in cache.children(job).items] == ["new"]


def test_objects_are_kept_without_what_weighs_most() -> None:
    cache = Cache()
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    job = at(training_job(), 1, managedFields=[{}], annotations=notes)
    cache.feed(job)
    kept = cache.get(ObjectRef.of(job))
    assert kept is not None
    assert "managedFields" not in kept["metadata"]
    assert kept["metadata"]["annotations"] == {"mine": "1"}


def test_a_relabelled_child_leaves_its_owner() -> None:
    cache = Cache()
    job = training_job()
    service = child(job, "Service", "s")
    cache.feed(at(service, 1, uid="s"))
    cache.feed(at(service, 2, uid="s", labels={}))
    assert not cache.children(job).items


SUCCEEDED = {"conditions": [{"type": "Succeeded", "status": "True"}], "phase": "Succeeded"}
COMPLETE = {"conditions": [{"type": "Complete", "status": "True", "message": "x" * 100}]}


@pytest.mark.parametrize("order", list(permutations(("owner", "job", "pod"))))
def test_of_a_finished_job_nothing_is_kept_but_that_it_has_ended(order: tuple[str, ...]) -> None:
    cache, raw = Cache(), training_job()
    batch = child(raw, "Job", "job-train", "batch/v1", spec={"parallelism": 2}, status=COMPLETE)
    batch["metadata"]["uid"] = "j"
    pod = child(raw, "Pod", "job-train-0", spec={}, status={"phase": "Succeeded"})
    pod["metadata"] |= {"uid": "p", "ownerReferences": [reference(batch)]}
    objects = {"owner": {**raw, "status": SUCCEEDED}, "job": batch, "pod": pod}
    for version, name in enumerate(order, 1):
        cache.feed(at(objects[name], version))
    children = cache.children(raw)
    assert not children.of_kind("Pod")
    (left,) = children.of_kind("Job")
    assert left["status"] == {"conditions": [{"type": "Complete", "status": "True"}]}
    assert "spec" not in left
    assert not cache.feed(at(pod, 9)), "a pod that has ended is no news any more"
    assert cache.get(ObjectRef.of(raw)) == at(objects["owner"], order.index("owner") + 1)


def test_of_a_finished_job_pods_that_still_run_are_kept() -> None:
    cache, raw = Cache(), training_job()
    batch = at(child(raw, "Job", "job-train", "batch/v1"), 2, uid="j")
    pod = child(raw, "Pod", "job-train-0", spec={}, status={"phase": "Running"})
    cache.feed(at(pod, 3, uid="p", ownerReferences=[reference(batch)]))
    cache.feed({**batch, "status": COMPLETE})
    cache.feed(at({**raw, "status": SUCCEEDED}, 4))
    assert [one["status"]["phase"] for one in cache.children(raw).of_kind("Pod")] == ["Running"]


@pytest.mark.parametrize("order", ["gone, new", "new, gone", "new"])
async def test_a_namesake_does_not_inherit_what_no_watch_covers(order: str) -> None:
    cache, api = Cache(), FakeClient()
    old, new = at(training_job(), 1, uid="old"), at(training_job(), 50, uid="new")
    cache.feed(old)
    cache.feed(at(child(old, "PodGroup", "g", "scheduling.volcano.sh/v1beta1"), 2, uid="g"))
    for step in order.split(", "):
        if step == "gone":
            cache.remove(ObjectRef.of(old), "old", 49)
        else:
            cache.feed(new)
    writer = Writer(cast(Client, api), cache, CREDENTIALS.data)
    assert await writer.apply(child(new, "PodGroup", "g", "scheduling.volcano.sh/v1beta1"), new)
    assert [(verb, kind) for verb, kind, _ in api.writes] == [("create", "PodGroup")]


async def test_what_seems_to_stand_in_the_way_is_read_anew_before_it_is_told() -> None:
    cache, api = Cache(), FakeClient()
    other, job = training_job("other"), training_job()
    cache.feed(at(child(other, "Service", "job"), 2, uid="s"))
    assert await Writer(cast(Client, api), cache, CREDENTIALS.data).apply(
        child(job, "Service", "job"), job
    )
    assert [verb for verb, *_ in api.writes] == ["create"]


def test_another_uid_under_a_name_is_told_as_the_end_of_the_first() -> None:
    cache, told = Cache(), list[tuple[str | None, str | None]]()
    intake = Intake(cache, WorkQueue(), lambda a, b: told.append((uid(a), uid(b))))
    intake.synced.set()

    def uid(obj: Manifest | None) -> str | None:
        return str(obj["metadata"]["uid"]) if obj else None

    async def see() -> None:
        for version, name in ((1, "old"), (5, "new")):
            intake.seen("ADDED", at(training_job(), version, uid=name))

    asyncio.run(see())
    assert told == [(None, "old"), ("old", None), (None, "new")]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["u1", "u2"]), st.integers(1, 20), st.booleans()), max_size=30
)


@given(EVENTS)
def test_in_whatever_order_news_come_the_newest_of_what_lives_is_known(
    events: list[tuple[str, int, bool]],
) -> None:
    cache, ref = Cache(), ObjectRef.of(training_job())
    gone: set[str] = set()
    newest = 0
    for uid, version, deleted in events:
        if deleted:
            gone.add(uid)
            cache.remove(ref, uid)
        elif uid not in gone:
            cache.feed(at(training_job(), version, uid=uid))
        known = cache.get(ref)
        assert known is None or known["metadata"]["uid"] not in gone
        version_known = int(known["metadata"]["resourceVersion"]) if known else 0
        assert version_known >= newest or known is None or deleted
        newest = version_known
    assert len(cache) == (1 if cache.get(ref) else 0)
    assert len(list(cache.of_kind("TrainingJob", "default"))) == len(cache)


def test_of_a_pods_spec_only_what_is_read_is_kept() -> None:
    container = {
        "name": "trainer",
        "image": "image",
        "env": [{"name": "TOKEN", "value": "secret"}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
    }
    spec = {"nodeName": "node", "containers": [container], "volumes": [{"name": "tmp"}]}
    meta = {"name": "p", "namespace": "default", "uid": "p", "resourceVersion": "1"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    cache = Cache()
    cache.feed({**pod, "status": {"phase": "Running"}})
    kept = {key: container[key] for key in ("name", "image", "resources")}
    found = cache.get(ObjectRef.of(pod))
    assert found is not None
    assert found["spec"] == {
        "nodeName": "node",
        "containers": [{**kept, "env": [{"name": "TOKEN"}]}],
    }
    assert found["status"] == {"phase": "Running"}


def test_of_a_job_all_is_kept_but_what_its_pods_are_made_of() -> None:
    told = {"name": "SLIPWAY_OUTPUT_URI", "value": "s3://slipway/outputs/a"}
    agent = {
        "name": "agent",
        "image": "image",
        "env": [told, {"name": "TOKEN", "value": "secret"}],
        "resources": {"limits": {"memory": "1Gi"}},
    }
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"initContainers": [agent]}}
    job = child(training_job(), "Job", "job-train", "batch/v1", status={"active": 1})
    kept = {"name": "agent", "image": "image", "env": [told]}
    cache = Cache()
    cache.feed(at({**job, "spec": {"parallelism": 2, "template": template}}, 1, uid="j"))
    found = cache.get(ObjectRef.of(job))
    assert found is not None
    assert found["spec"] == {
        "parallelism": 2,
        "template": {"spec": {"initContainers": [kept]}},
    }
    assert found["status"] == {"active": 1}
