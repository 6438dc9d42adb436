"""What is kept of objects is all that a plan reads: it makes the same plan of both."""

import copy
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.api import TrainingJob
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.training.planner import plan
from slipway.training.snapshot import TrainingSnapshot
from tests.property.training.histories import CLUSTERS, HISTORIES, Act
from tests.property.training.test_histories import unfold
from tests.unit.training.simulation import SETTINGS, Cluster


def stored(cluster: Cluster) -> Manifest:
    """Return the TrainingJob as the API server has it."""
    job = cluster.snapshot().job
    meta = {"name": "quick", "namespace": "default", "uid": job.metadata.uid}
    head = {"apiVersion": job.api_version, "kind": job.kind}
    meta["generation"] = cluster.generation  # type: ignore[assignment]
    return {**head, "metadata": meta, "spec": cluster.spec, "status": cluster.status}


def whole(obj: Manifest, version: int) -> Manifest:
    """Return an object with all that comes along with it."""
    noise: dict[str, Any] = {"managedFields": [{"manager": "a"}], "resourceVersion": str(version)}
    return {**obj, "metadata": {**obj["metadata"], **noise}}


def seen(cluster: Cluster, order: Random) -> Cache:
    """Return a cache that has seen all objects, in any order, and then those that are gone go."""
    cache = Cache()
    objects = [stored(cluster), *copy.deepcopy(list(cluster.objects.values())), *cluster.gone]
    order.shuffle(objects)
    for version, obj in enumerate(objects, 1):
        cache.feed(whole(obj, version))
    for pod in cluster.gone:
        cache.remove(ObjectRef.of(pod), pod["metadata"]["uid"])
    return cache


def observed(cluster: Cluster, order: Random) -> TrainingSnapshot:
    """Return the snapshot that is made of what the cache has kept."""
    cache = seen(cluster, order)
    raw = cache.get(ObjectRef.of(stored(cluster)))
    assert raw is not None
    job = TrainingJob.model_validate(raw)
    return replace(cluster.snapshot(), job=job, children=cache.children(raw))


@given(CLUSTERS, HISTORIES, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_plan_from_what_is_kept_is_the_plan_from_all_there_is(
    cluster: Cluster, history: list[Act], order: Random
) -> None:
    for _ in unfold(cluster, history):
        snapshot = observed(cluster, order)
        kept = plan(snapshot, SETTINGS, cluster.now)
        all_there_is = replace(cluster.snapshot(), job=snapshot.job)
        assert kept == plan(all_there_is, SETTINGS, cluster.now)


@given(CLUSTERS, HISTORIES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_nothing_is_kept_of_the_ended_pods_of_a_job_that_has_ended(
    cluster: Cluster, history: list[Act], order: Random
) -> None:
    for _ in unfold(cluster, history):
        pass
    if cluster.deleted or cluster.status.get("phase") not in ("Succeeded", "Failed"):
        return
    family = observed(cluster, order).children
    over = {job["metadata"]["uid"] for job in family.of_kind("Job") if _has_ended(job)}
    for pod in family.of_kind("Pod"):
        owner = pod["metadata"]["ownerReferences"][0]["uid"]
        assert pod["status"]["phase"] not in ("Succeeded", "Failed") or owner not in over


def _has_ended(job: Manifest) -> bool:
    found = (job.get("status") or {}).get("conditions") or ()
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in found)
