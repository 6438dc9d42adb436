"""What the operator is like beside many objects that lie there: memory, idling, a scrape, a start.

Jobs that have ended are written as they would lie there after months, without running anything;
deployments are made by the operator, and their pods run on simulated nodes.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import httpx

from dev.cluster import daemon
from slipway.api.training.package import Package
from slipway.kube.resources import CHILDREN, TRAINING_JOBS, Resource
from slipway.plan import Manifest
from slipway.settings import Settings
from slipway.training.stages.repackaging import digest_of
from tests.contract.operator.process import OperatorProcess
from tests.harness import TestControlPlane
from tests.harness.api import KubectlError
from tests.harness.waiting import wait_for
from tests.scale import measure, stored, workloads
from tests.scale.client import LoadClient

_MOMENT = "2026-01-01T00:00:00Z"
_NOBODY = "example.com/nobody"
"""Who cares for Jobs and pods that have ended: no controller of this cluster."""
IDLE_SECONDS = 20.0
"""An operator that has looked at nothing for so long is idle: an autoscaler is synced in 15 s."""
_READ = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()"


@dataclass(frozen=True)
class Resident:
    """What was found beside so many objects.

    ``memory`` and ``peak`` in MiB, ``idle`` in CPU seconds a minute, ``hold`` how many seconds
    nothing else was answered while the metrics were read, ``ready`` seconds from a start until all
    is listed and ``start`` the CPU seconds of that, ``alone`` these seconds while Kubernetes'
    controllers are stopped, which take most of two cores otherwise. ``job`` are the seconds from
    the creation of a TrainingJob just then until its Job is there, ``lists`` those in which a
    program that keeps nothing reads the lists of that start, all at the same time.
    """

    memory: float
    peak: float
    idle: float
    hold: float
    ready: float
    start: float
    alone: float
    job: float
    lists: float


def _condition(type_: str, status: str = "True") -> Manifest:
    return {
        "type": type_,
        "status": status,
        "reason": "AllPodsSucceeded",
        "message": "What was to be done is done, and this says so at some length.",
        "lastTransitionTime": _MOMENT,
    }


def job_status() -> Manifest:
    """Return the status of a TrainingJob that has succeeded, with its package."""
    package = Package.model_validate(workloads.training_job(0)["spec"]["package"])
    told = [_condition(one) for one in ("Created", "Packaged", "Succeeded")]
    conditions = [*told, _condition("Running", "False"), _condition("Queued", "False")]
    return {
        "observedGeneration": 1,
        "phase": "Succeeded",
        "conditions": [{**one, "observedGeneration": 1} for one in conditions],
        "nodes": {"desired": 2, "active": 0, "ready": 0, "succeeded": 2, "failed": 0},
        "startTime": _MOMENT,
        "completionTime": _MOMENT,
        "progress": {"step": 100, "totalSteps": 100, "percent": 100, "metrics": {"loss": "0.1"}},
        "output": {"uri": "s3://slipway/outputs/scale/job/uid", "files": 3, "sizeBytes": 5},
        "earlierPackages": [],
        "package": {
            "generation": 1,
            "lineageUri": "",
            "uri": "s3://slipway/models/scale/job/uid/job-1.0.mar",
            "sha256": "a" * 64,
            "sizeBytes": 1,
            "modelName": "job",
            "modelVersion": "1.0",
        },
        "packaging": {"number": 1, "generation": 1, "digest": digest_of(package)},
    }


def ended_job(number: int, owner: Manifest) -> Manifest:
    """Return a TrainingJob's Job, which no controller runs."""
    made = workloads.job_children(number, Settings())
    job = next(one for one in made if one["kind"] == "Job")
    meta = {**job["metadata"], "ownerReferences": [_reference(owner)]}
    return {**job, "metadata": meta, "spec": {**job["spec"], "managedBy": _NOBODY}}


def ended_pod(index: int, job: Manifest) -> Manifest:
    """Return a Job's pod, which no scheduler places."""
    template = job["spec"]["template"]
    meta = {
        "name": f"{job['metadata']['name']}-{index}",
        "namespace": workloads.NAMESPACE,
        "labels": template["metadata"]["labels"],
        "ownerReferences": [_reference(job)],
    }
    spec = {**template["spec"], "schedulerName": "nobody"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _reference(owner: Manifest) -> Manifest:
    meta = owner["metadata"]
    head = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    return {**head, "name": meta["name"], "uid": meta["uid"], "controller": True}


def complete() -> Manifest:
    """Return the status of a Job of two pods that is complete."""
    ends = ("SuccessCriteriaMet", "Complete")
    return {
        "startTime": _MOMENT,
        "completionTime": _MOMENT,
        "succeeded": 2,
        "completedIndexes": "0,1",
        "conditions": [{"type": one, "status": "True"} for one in ends],
    }


async def _ended(client: LoadClient) -> list[Manifest]:
    """Write a TrainingJob that has ended, its Job and its pods; return them as they are stored."""
    owner = await client.write(workloads.training_job(0))
    job = await client.write(ended_job(0, owner))
    pods = [await client.write(ended_pod(index, job)) for index in range(workloads.NODES)]
    return [
        await client.write_status(owner, job_status()),
        await client.write_status(job, complete()),
        *[await client.write_status(pod, {"phase": "Succeeded"}) for pod in pods],
    ]


async def write_ended(plane: TestControlPlane, count: int) -> None:
    """Write so many TrainingJobs that have ended; the API server makes one, the rest are copies."""
    async with await LoadClient.connect(plane.kubeconfig, measure.CONCURRENCY) as client:
        family = await _ended(client)
    name = family[0]["metadata"]["name"]
    others = (stored.copies(family, name, f"job-{number}") for number in range(1, count))
    stored.store(plane, chain.from_iterable(others))
    kinds = (TRAINING_JOBS, *(one for one in CHILDREN if one.kind in ("Job", "Pod")))
    # The API server's cache of the first kinds is behind again while it takes in the last.
    for resource in (*kinds, *kinds):
        wait_for(
            partial(_is_listed, plane, resource, count), 900, f"all {resource.plural} are told of"
        )


def _is_listed(plane: TestControlPlane, resource: Resource, count: int) -> bool:
    """Tell whether the API server has taken in what it was not told of.

    Until then it refuses to list, or tells of fewer.
    """
    path = f"{resource.path(workloads.NAMESPACE)}?limit=1"
    try:
        listed = json.loads(plane.kubectl.run("get", "--raw", path))["metadata"]
    except KubectlError:
        return False
    return int(listed.get("remainingItemCount") or 0) + 1 >= count


def observe(plane: TestControlPlane, folder: Path, serving: int, idle_seconds: float) -> Resident:
    """Let the operator make ``serving`` deployments beside what is there, and measure it."""
    with measure.operator(plane, folder / "operator.log") as process:
        measure.observed(measure.model_deployments(serving), plane, process)
        idle = idle_cpu(process, idle_seconds)
        memory, peak = process.memory(), measure.peak_memory(process)
        hold = longest_hold(process)
    audit, begun = plane.audit(), time.monotonic()
    with measure.starting(plane, folder / "restarted.log") as process:
        process.wait_until_ready(measure.TIMEOUT)
        ready, start = time.monotonic() - begun, process.cpu()
        uris = [one.uri for one in audit.requests(measure.USER) if one.verb == "list"]
        job = seconds_to_job(plane)
        memory, peak = max(memory, process.memory()), max(peak, measure.peak_memory(process))
    lists = asyncio.run(seconds_to_list(plane, uris))
    alone = seconds_to_ready_alone(plane, folder / "alone.log")
    return Resident(memory, peak, idle, hold, ready, start, alone, job, lists)


def seconds_to_ready_alone(plane: TestControlPlane, log: Path) -> float:
    """Return the seconds from a start until all is listed, with Kubernetes' controllers stopped."""
    manager = daemon.all_recorded(plane.plane.state)["kube-controller-manager"].pid
    os.kill(manager, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with measure.starting(plane, log) as process:
            process.wait_until_ready(measure.TIMEOUT)
            return time.monotonic() - begun
    finally:
        os.kill(manager, signal.SIGCONT)


async def seconds_to_list(plane: TestControlPlane, uris: Iterable[str]) -> float:
    """Return the seconds in which lists are read, without what was asked for their next pages."""
    first = sorted({uri for uri in uris if "continue=" not in uri})
    async with await LoadClient.connect(plane.kubeconfig, measure.CONCURRENCY) as client:
        begun = time.monotonic()
        await client.read_lists(first)
        return time.monotonic() - begun


def idle_cpu(process: OperatorProcess, seconds: float) -> float:
    """Return the CPU seconds a minute that the operator uses while nothing happens."""
    wait_until_idle(process)
    begun, cpu = time.monotonic(), process.cpu()
    threading.Event().wait(seconds)
    return (process.cpu() - cpu) / (time.monotonic() - begun) * 60


def wait_until_idle(process: OperatorProcess) -> None:
    """Wait until the operator has looked at nothing for a while.

    An autoscaler's first statuses come some 15 s after its deployment is ready.
    """
    before = -1.0

    def rests() -> bool:
        nonlocal before
        known, before = before, process.metric("slipway_reconcile_total")
        return 0 < known == before

    wait_for(rests, 600, "nothing is looked at any more", interval=IDLE_SECONDS)


def longest_hold(process: OperatorProcess) -> float:
    """Return for how long nothing else was answered while the metrics were read, in seconds.

    They are read by a process of its own: whoever reads 13 MB in this one delays its other thread.
    """
    url = f"http://127.0.0.1:{process.port}/metrics"
    with _asking(process) as waits:
        subprocess.run([sys.executable, "-c", _READ, url], check=True)
    return max(waits)


@contextmanager
def _asking(process: OperatorProcess) -> Iterator[list[float]]:
    """Ask for the operator's health again and again during the block; gather the waits."""
    done, waits = threading.Event(), list[float]()

    def ask() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=60) as client:
            while not done.is_set() or not waits:
                begun = time.monotonic()
                client.get("/healthz").raise_for_status()
                waits.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    yield waits
    done.set()
    thread.join()


def seconds_to_job(plane: TestControlPlane) -> float:
    """Create a TrainingJob, and return in how many seconds its Job is there."""
    kubectl = plane.kubectl
    job = workloads.training_job(10**6)
    begun = time.monotonic()
    kubectl.create(job)
    name = f"{job['metadata']['name']}-train"
    wait_for(
        lambda: kubectl.get("job", name, workloads.NAMESPACE),
        120,
        f"{name} is there",
        interval=0.02,
    )
    return time.monotonic() - begun
