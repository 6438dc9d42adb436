"""What the operator keeps of objects, in bytes: the figures that docs/performance.md tells."""

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, ObjectRef
from slipway.settings import Settings
from slipway.telemetry.catalogue import Catalogue
from slipway.telemetry.objects.gauges import object_samples
from tests.scale import resident, workloads

COUNT = 256
_KIB = 1024


def stored(obj: Manifest, **status: Any) -> Manifest:
    """Return an object as a watch tells of it: with a UID, a version and a status."""
    ref = ObjectRef.of(obj)
    meta = {
        **obj["metadata"],
        "uid": f"{abs(hash(ref)):032x}-0000",
        "resourceVersion": "123456",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    told = from_json(to_json({**obj, "metadata": meta, **status}), cache_strings="all")
    return dict(told)


def ended(number: int) -> Iterator[Manifest]:
    """Yield a TrainingJob of two pods that has ended, its Job and its pods."""
    owner = stored(workloads.training_job(number), status=resident.job_status())
    job = stored(resident.ended_job(number, owner), status=resident.complete())
    yield from (owner, job)
    for index in range(workloads.NODES):
        yield stored(resident.ended_pod(index, job), status={"phase": "Succeeded"})


def running(number: int) -> Iterator[Manifest]:
    """Yield a TrainingJob of two pods that runs, and its children."""
    phase = {"phase": "Running", "conditions": resident.job_status()["conditions"][:3]}
    owner = stored(workloads.training_job(number), status=phase)
    yield owner
    for child in workloads.job_children(number, Settings()):
        if child["kind"] == "Job":
            job = stored(resident.ended_job(number, owner), status={"active": 2, "ready": 2})
            yield job
        else:
            yield stored(child)
    for index in range(workloads.NODES):
        yield stored(resident.ended_pod(index, job), status=pod_status(("agent",), ("trainer",)))


def serving(number: int) -> Iterator[Manifest]:
    """Yield a ModelDeployment of one pod that serves, and its children."""
    told = {"conditions": resident.job_status()["conditions"], "replicas": 1, "readyReplicas": 1}
    yield stored(workloads.model_deployment(number), status=told)
    for child in workloads.children(number, Settings()):
        yield stored(child)
        if child["kind"] == "Deployment":
            template = child["spec"]["template"]
            meta = {**template["metadata"], "name": f"model-{number}-x", "namespace": "scale"}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
            yield stored(pod, status=pod_status(("fetch", "envoy"), ("torchserve",)))


def pod_status(first: tuple[str, ...], then: tuple[str, ...]) -> Manifest:
    """Return the status of a pod that runs, as the kubelet writes it."""
    return {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "podIPs": [{"ip": "10.0.0.1"}],
        "hostIP": "10.1.0.1",
        "startTime": "2026-01-01T00:00:00Z",
        "qosClass": "Burstable",
        "conditions": [
            {"type": type_, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            for type_ in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "initContainerStatuses": list(map(container_status, first)),
        "containerStatuses": list(map(container_status, then)),
    }


def container_status(name: str) -> Manifest:
    """Return what the kubelet tells of a container that runs."""
    return {
        "name": name,
        "image": f"example.com/{name}:1",
        "imageID": f"example.com/{name}@sha256:{'0' * 64}",
        "containerID": f"containerd://{'0' * 64}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    }


def kept_of_each(make: Callable[[int], Iterator[Manifest]]) -> float:
    """Return the KiB that the cache and the metrics keep of what ``make`` yields for a number."""
    families = [list(make(number)) for number in range(2 * COUNT)]
    cache, samples = Cache(), object_samples(Catalogue())
    _take_in(families[:COUNT], cache, samples)
    families = families[COUNT:]
    tracemalloc.start()
    copies = [[stored(obj) for obj in family] for family in families]
    del families
    _take_in(copies, cache, samples)
    copies.clear()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return kept / COUNT / _KIB


def _take_in(families: list[list[Manifest]], cache: Cache, samples: Any) -> None:
    for family in families:
        for obj in family:
            cache.feed(obj)
            if obj["kind"] in samples:
                samples[obj["kind"]].seen(ObjectRef.of(obj), obj)
    for kind in samples.values():
        for _ in kind.settle():
            pass


@pytest.mark.parametrize(
    ("make", "most"),
    [(ended, 3.0), (running, 50.0), (serving, 25.0)],
    ids=["ended", "running", "serving"],
)
def test_what_is_kept_of_an_object_is_bounded(
    make: Callable[[int], Iterator[Manifest]], most: float
) -> None:
    kept = kept_of_each(make)
    assert most / 2 < kept < most, f"{kept:.1f} KiB of each"
