"""Observing: what is read for a snapshot, and when."""

import asyncio
import math

import pytest

from slipway.api import ModelDeployment, TrainingJob
from slipway.controller.loop.observer import ConfigMapKeys, Observer, may_need_source
from slipway.controller.readers import training_progress
from slipway.controller.readers.training_progress import ProgressReader
from slipway.kube.watched.cache import Cache
from slipway.plan import Children, Manifest, ObjectRef
from slipway.serving.snapshot import ServingSnapshot
from slipway.training.children.gates import Served
from slipway.training.children.names import INDEX
from slipway.training.snapshot import TrainingSnapshot
from tests.unit.controller.fakes import FakeClient, child, reference, training_job
from tests.unit.controller.loop.surroundings import NOTHING, reachable

SOURCE = {"source": {"configMap": {"name": "code"}}, "entrypoint": "train.py"}


def in_phase(phase: str, **status: str) -> tuple[Manifest, Cache]:
    """Return a job, and a cache with its one pod in a phase."""
    job = {**training_job(), "spec": SOURCE}
    batch = child(job, "Job", "job-train", "batch/v1")
    batch["metadata"] |= {"uid": "j", "resourceVersion": "1"}
    pod: Manifest = {
        **child(job, "Pod", "p"),
        "spec": {"nodeName": "node-1"},
        "status": {"phase": phase, **status},
    }
    pod["metadata"] |= {
        "uid": "p",
        "resourceVersion": "2",
        "labels": {**pod["metadata"]["labels"], INDEX: "0"},
        "ownerReferences": [reference(batch)],
    }
    cache = Cache()
    cache.feed(batch)
    cache.feed(pod)
    return job, cache


async def snapshot(
    phase: str, client: FakeClient, reader: ProgressReader | None = None, **status: str
) -> TrainingSnapshot:
    """Observe a job that has one pod in a phase."""
    job, cache = in_phase(phase, **status)
    reader = reader or ProgressReader(10.0)
    keys = ConfigMapKeys(client)
    observer = Observer(cache, keys, reachable, reader, 10.0, *NOTHING)
    found = await observer.training(TrainingJob.model_validate(job), job)
    assert isinstance(found.snapshot, TrainingSnapshot)
    return found.snapshot


@pytest.mark.parametrize(("phase", "gone"), [("Pending", True), ("Running", False)])
async def test_a_deleted_source_matters_to_pods_that_have_not_started(
    phase: str, gone: bool
) -> None:
    assert (await snapshot(phase, FakeClient())).source_gone is gone


def asks_for_source(
    condition: str | None = None,
    *,
    suspend: bool = False,
    node: str = "",
    jobs: bool = True,
    role: str = "train",
) -> bool:
    """Tell whether the source is read for a job with a pod that has not started."""
    job = {**training_job(), "spec": {**SOURCE, "suspend": suspend}}
    if condition:
        moment = "2026-01-01T12:00:00Z"
        ended = {"type": condition, "status": "True", "reason": "Completed", "message": ""}
        job["status"] = {"conditions": [{**ended, "lastTransitionTime": moment}]}
    pod = {**child(job, "Pod", "p"), "spec": {"nodeName": node}, "status": {"phase": "Pending"}}
    batch = child(job, "Job", f"job-{role}", "batch/v1")
    children = Children({ObjectRef.of(one): one for one in ((batch, pod) if jobs else ())})
    return may_need_source(TrainingJob.model_validate(job), children)


def test_the_source_is_read_only_while_something_waits_for_it() -> None:
    assert asks_for_source(jobs=False)
    assert asks_for_source(node="node-1")
    assert not asks_for_source(node=""), "no kubelet looks for it"
    assert not asks_for_source(jobs=False, suspend=True)
    assert not asks_for_source("Succeeded", jobs=False)
    assert not asks_for_source("Failed", jobs=False)
    assert asks_for_source("PackageFilesMissing", node=""), "somebody may have mended it"
    assert asks_for_source(role="keys"), "the Job that trains is still to be made"


async def test_a_source_that_is_there_is_not_gone() -> None:
    client = FakeClient()
    meta = {"name": "code", "namespace": "default"}
    client.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"train.py": ""}}
    )
    assert not (await snapshot("Pending", client)).source_gone


async def test_a_pod_that_cannot_be_asked_is_silent_and_has_never_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_progress, "PORT", 1)
    reader = ProgressReader(0.01)
    client = FakeClient()
    async with asyncio.timeout(120):
        seen = await snapshot("Running", client, reader, podIP="127.0.0.1")
        while seen.silence is None:
            await asyncio.sleep(0.01)
            seen = await snapshot("Running", client, reader, podIP="127.0.0.1")
    await reader.close()
    assert (seen.progress, seen.progress_age) == (None, math.inf)
    assert seen.silence is not None
    assert seen.silence.pod == "p"
    assert "127.0.0.1:1" in seen.silence.error


def packaged(name: str, completed: str, **labels: str) -> Manifest:
    """Return a TrainingJob that has a package."""
    job = training_job(name)
    version = str(10 + int(name[1:]))
    job["metadata"] |= {"labels": labels, "resourceVersion": version}
    names = {"modelName": "m", "modelVersion": "1.0"}
    package = {"uri": f"s3://b/{name}.mar", "sha256": "a" * 64, "sizeBytes": 1, **names}
    status = {"phase": "Succeeded", "completionTime": completed, "package": package}
    return {**job, "status": status}


def selecting(**labels: str) -> ModelDeployment:
    """Return a ModelDeployment that serves the newest of the jobs with these labels."""
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "m", "namespace": "default", "uid": "m"},
            "spec": {"model": {"trainingJobSelector": {"matchLabels": labels}}},
        }
    )


def rejected(name: str, completed: str, **labels: str) -> Manifest:
    """Return a TrainingJob whose package missed a gate."""
    job = packaged(name, completed, **labels)
    status = job["status"]
    return {
        **job,
        "status": {
            **status,
            "phase": "Failed",
            "package": None,
            "rejectedPackage": status["package"],
        },
    }


async def observed(cache: Cache, **labels: str) -> ServingSnapshot:
    """Return the snapshot of a deployment that selects jobs by labels."""
    reader = ProgressReader(10.0)
    keys = ConfigMapKeys(FakeClient())
    observer = Observer(cache, keys, reachable, reader, 10.0, *NOTHING)
    deployment = selecting(**labels)
    raw = deployment.to_wire()
    snapshot = (await observer.serving(deployment, raw)).snapshot
    assert isinstance(snapshot, ServingSnapshot)
    return snapshot


async def selected(cache: Cache, **labels: str) -> list[str]:
    """Return the names of the jobs that a deployment's snapshot has."""
    return [job.metadata.name for job in (await observed(cache, **labels)).selected_jobs]


async def test_the_selected_job_whose_package_was_rejected_last_is_known_and_is_none_to_serve() -> (
    None
):
    cache = Cache()
    cache.feed(packaged("j1", "2026-01-01T00:00:00Z", team="a"))
    assert (await observed(cache, team="a")).rejected_job is None
    for number, team in ((2, "a"), (3, "a"), (4, "b")):
        cache.feed(rejected(f"j{number}", f"2026-01-0{number}T00:00:00Z", team=team))
    snapshot = await observed(cache, team="a")
    assert [job.metadata.name for job in snapshot.selected_jobs] == ["j1"]
    assert snapshot.rejected_job is not None
    assert snapshot.rejected_job.metadata.name == "j3"
    mended = packaged("j3", "2026-01-05T00:00:00Z", team="a")
    mended["metadata"]["resourceVersion"] = "90"
    cache.feed(mended)
    snapshot = await observed(cache, team="a")
    assert [job.metadata.name for job in snapshot.selected_jobs] == ["j3"]
    assert snapshot.rejected_job is not None
    assert snapshot.rejected_job.metadata.name == "j2"


def test_a_rejected_package_wakes_the_deployments_that_select_its_job() -> None:
    cache, deployment = Cache(), selecting(team="a").to_wire()
    kind = {"apiVersion": "slipway.dev/v1alpha1", "kind": "ModelDeployment"}
    deployment["metadata"]["resourceVersion"] = "5"
    cache.feed({**kind, **deployment})
    job = rejected("j1", "2026-01-01T00:00:00Z", team="a")
    assert [ref.name for ref in cache.servers.of(job)] == ["m"]
    assert [ref.name for ref in cache.servers.of(training_job("j1"))] == []


async def test_of_the_selected_jobs_the_newest_package_is_read_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, read = Cache(), list[str]()
    for number in range(1, 50):
        team = "a" if number % 2 else "b"
        cache.feed(packaged(f"j{number}", f"2026-01-{number % 28 + 1:02d}T00:00:00Z", team=team))
    get = cache.get
    monkeypatch.setattr(cache, "get", lambda ref: read.append(ref.name) or get(ref))  # type: ignore[func-returns-value]
    assert await selected(cache, team="a") == ["j27"]
    assert await selected(cache, team="none") == []
    assert read == ["j27"]


@pytest.mark.parametrize(("made", "unread"), [(None, False), ({}, False), ({"nodes": "x"}, True)])
async def test_a_job_that_cannot_be_read_is_not_taken_for_one_that_is_missing(
    made: Manifest | None, unread: bool
) -> None:
    cache = Cache()
    if made is not None:
        found = training_job("other", **made)
        found["metadata"]["resourceVersion"] = "1"
        cache.feed(found)
    observer = Observer(
        cache, ConfigMapKeys(FakeClient()), reachable, ProgressReader(10.0), 10.0, *NOTHING
    )
    meta = {"name": "m", "namespace": "default", "uid": "m"}
    named = {"metadata": meta, "spec": {"model": {"trainingJob": {"name": "other"}}}}
    deployment = ModelDeployment.model_validate(named)
    serving = (await observer.serving(deployment, deployment.to_wire())).snapshot
    assert (serving.training_job is None) == (made is None or unread)
    assert serving.is_job_unread == unread
    raw = training_job("job", inputs=[{"name": "i", "trainingJob": {"name": "other"}}])
    training = (await observer.training(TrainingJob.model_validate(raw), raw)).snapshot
    assert training.other_jobs.keys() == ({"other"} if made is not None else set())
    assert ("other" in training.other_jobs and training.other_jobs["other"] is None) == unread


async def test_a_job_that_is_deleted_or_relabelled_is_selected_no_more() -> None:
    cache = Cache()
    for number in (1, 2, 3):
        cache.feed(packaged(f"j{number}", f"2026-01-0{number}T00:00:00Z", team="a"))
    third = packaged("j3", "2026-01-03T00:00:00Z", team="a")
    cache.remove(ObjectRef.of(third), third["metadata"]["uid"])
    second = packaged("j2", "2026-01-02T00:00:00Z", team="b")
    second["metadata"]["resourceVersion"] = "90"
    cache.feed(second)
    assert await selected(cache, team="a") == ["j1"]


ARCHIVE = {"name": "net", "uri": "s3://slipway/models/ns/net.mar", "sha256": "ab" * 32}
EARLIER = {**ARCHIVE, "uri": "s3://slipway/models/ns/old.mar", "sha256": "cd" * 32}


def promoted(revision: str, model: Manifest | None) -> Manifest:
    moment = {"startedAt": "2026-01-01T12:00:00Z", "finishedAt": "2026-01-01T12:00:00Z"}
    told = {"model": model} if model else {}
    return {"revision": revision, "outcome": "Promoted", **told, **moment}


@pytest.mark.parametrize(
    ("status", "served"),
    [
        (None, None),
        ({}, None),
        ({"revision": "web-1", "model": ARCHIVE, "rollout": {"activeSlot": "blue"}}, None),
        (
            {"revision": "web-1", "model": ARCHIVE, "rollout": {"stableRevision": "web-1"}},
            Served(str(ARCHIVE["uri"]), str(ARCHIVE["sha256"])),
        ),
        (
            {
                "revision": "web-2",
                "model": ARCHIVE,
                "rollout": {
                    "stableRevision": "web-1",
                    "history": [promoted("web-1", EARLIER)],
                },
            },
            Served(str(EARLIER["uri"]), str(EARLIER["sha256"])),
        ),
        (
            {"revision": "web-2", "model": ARCHIVE, "rollout": {"stableRevision": "web-1"}},
            Served(),
        ),
        ({"revision": 7}, Served()),
    ],
    ids=[
        "no deployment",
        "no status",
        "none is stable yet",
        "a stable one",
        "another one is rolled out in its place",
        "whose archive nobody knows",
        "a status that cannot be read",
    ],
)
async def test_a_package_is_compared_with_the_archive_of_the_stable_revision(
    status: Manifest | None, served: Served | None
) -> None:
    job, cache = in_phase("Running")
    package = {"serializedFile": "m.pt", "handler": "h.py", "comparedWith": {"name": "web"}}
    job["spec"] = {**SOURCE, "package": package}
    if status is not None:
        meta = {**job["metadata"], "name": "web", "uid": "w", "resourceVersion": "3"}
        cache.feed({**job, "kind": "ModelDeployment", "metadata": meta, "status": status})
    keys, reader = ConfigMapKeys(FakeClient()), ProgressReader(10.0)
    observer = Observer(cache, keys, reachable, reader, 10.0, *NOTHING)
    found = await observer.training(TrainingJob.model_validate(job), job)
    assert found.snapshot.served == served


class Maps:
    """ConfigMaps of 10,000 keys each, and how often each was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def get(self, ref: ObjectRef) -> Manifest | None:
        self.read.append(ref.name)
        return {"data": {f"{number}.py": "" for number in range(10_000)}}


async def test_of_config_maps_with_very_many_keys_only_the_last_are_remembered() -> None:
    maps, now = Maps(), [0.0]
    known = ConfigMapKeys(maps, lambda: now[0])
    for name in "abcdefghij":
        assert len(await known.keys("team", name) or ()) == 10_000
    await known.keys("team", "j")
    assert maps.read == list("abcdefghij")
    await known.keys("team", "a")
    assert maps.read[-1] == "a"
    now[0] = 5.0
    await known.keys("team", "a")
    assert len(maps.read) == 12


async def test_a_config_map_that_is_missing_is_looked_for_again_sooner() -> None:
    client, now = FakeClient(), [0.0]
    known = ConfigMapKeys(client, lambda: now[0])
    assert await known.keys("default", "code") is None
    found = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"train.py": ""}}
    client.put({**found, "metadata": {"namespace": "default", "name": "code"}})
    now[0] = 1.9
    assert await known.keys("default", "code") is None
    now[0] = 2.0
    assert await known.keys("default", "code") == frozenset({"train.py"})
