"""The cache: newer versions win, what is gone stays gone, and children belong to one owner."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.kube.cache import Cache
from slipway.plan import Manifest, ObjectRef
from tests.unit.controller.fakes import child, reference, training_job


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
    cache.feed(batch)
    spec = {"containers": [], "nodeName": "n1"}
    cache.feed({**pod, "spec": spec, "status": {"phase": "Failed"}})
    cache.remove(ObjectRef.of(pod), "p")
    assert [one["status"] for one in cache.children(job).gone] == [{"phase": "Failed"}]
    assert [one["spec"] for one in cache.children(job).gone] == [{"nodeName": "n1"}]
    cache.remove(ObjectRef.of(batch), "j1")
    assert cache.children(job).gone == ()


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
