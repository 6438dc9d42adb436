"""Who names what lies in the store, by the cache and by the API server's word."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from slipway.accounts.errors import CredentialError
from slipway.api import TrainingJob
from slipway.controller.credentials import ClusterFacts
from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.references import References
from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.resources import Resource
from slipway.kube.watched import packing
from slipway.kube.watched.cache import Cache
from slipway.plan import Manifest, Reference, Removal, StoredFolder, Target
from slipway.settings import Settings
from slipway.uris import ObjectUri
from tests.unit.controller.fakes import training_job

END = datetime(2026, 1, 1, tzinfo=UTC)
URI = "s3://slipway/outputs/default/job/uid-of-job"
OUTPUT = Target("the output", StoredFolder(ObjectUri.parse(URI), "_manifest.json"))


class Api:
    """An API server that lists what it has been given, or fails."""

    def __init__(self, *listed: Manifest) -> None:
        self.listed = listed
        self.error: KubeError | None = None
        self.paths: list[str] = []

    async def pages(self, resource: Resource, namespace: str) -> AsyncIterator[Manifest]:
        self.paths.append(resource.path(namespace))
        if self.error:
            raise self.error
        for one in self.listed:
            yield {"items": [one] if one["kind"] == resource.kind else []}


def named(kind: str, name: str, **rest: Any) -> Manifest:
    meta = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "7"}
    head = {"apiVersion": "slipway.dev/v1alpha1", "kind": kind, "metadata": meta}
    return {**head, "spec": {}, **rest}


def ended(**status: Any) -> Manifest:
    true = {"type": "Succeeded", "status": "True", "reason": "Completed", "message": ""}
    moment = END.isoformat().replace("+00:00", "Z")
    condition = {**true, "lastTransitionTime": moment, "observedGeneration": 1}
    return {"conditions": [condition], **status}


def around(job: Manifest) -> tuple[Manifest, ...]:
    """Return what else is in the namespace of a job."""
    other = {"inputs": [{"name": "data", "uri": f"{URI}/data"}]}
    record = named("ConfigMap", "web-1", data={"revision.json": f'{{"uri":"{URI}/c.mar"}}'})
    record["apiVersion"] = "v1"
    record["metadata"]["labels"] = {"slipway.dev/model-deployment": "web"}
    return (
        job,
        named("ModelDeployment", "web", status={"rollout": {"history": [{"uri": f"{URI}/h.mar"}]}}),
        named("TrainingJob", "reads", spec=other),
        named("TrainingJob", "has-read", spec=other, status=ended()),
        record,
    )


def uris(found: tuple[Reference, ...] | None) -> dict[str, set[str]]:
    return {one.user: set(one.uris) for one in found or ()}


WHO = {
    "web": ("ModelDeployment web", f"{URI}/h.mar"),
    "reads": ("TrainingJob reads", f"{URI}/data"),
    "web-1": ("a revision of ModelDeployment web", f"{URI}/c.mar"),
}


async def place(_namespace: str, _owner: str) -> str:
    return "s3://slipway"


def references(api: Api, now: datetime, *there: Manifest) -> References:
    cache = Cache()
    for obj in there:
        cache.feed(obj)
    return References(cast(Client, api), cache, Settings(), place, lambda: now)


def the_job(seconds: int | None) -> Manifest:
    job = training_job()
    retention = {"outputSecondsAfterFinished": seconds}
    spec = {"source": {"configMap": {"name": "code"}}, "entrypoint": "train.py"}
    return {**job, "spec": {**spec, "retention": retention}, "status": ended()}


DUE = END + timedelta(seconds=61)


@pytest.mark.parametrize("name", WHO)
async def test_deployments_their_records_and_jobs_that_go_on_name_what_a_job_stored(
    name: str,
) -> None:
    job = the_job(60)
    there = [one for one in around(job) if one["metadata"]["name"] in ("job", "has-read", name)]
    user, uri = WHO[name]
    known = await references(Api(), DUE, *there).known(TrainingJob.model_validate(job))
    assert uris(known) == {user: {uri}}


async def test_the_first_that_names_what_is_to_go_is_enough() -> None:
    job = the_job(60)
    known = await references(Api(), DUE, *around(job)).known(TrainingJob.model_validate(job))
    assert uris(known) == {"ModelDeployment web": {f"{URI}/h.mar"}}


def full_of_uris(number: int, last: str) -> Manifest:
    """Return a suspended job whose spec has 20,000 URIs."""
    names = [f"s3://slipway/{number}/{each}" for each in range(20_000)]
    spec = {"suspend": True, "podTemplate": {"metadata": {"annotations": {"a": " ".join(names)}}}}
    return named("TrainingJob", f"large-{number}", spec={**spec, "last": last})


async def test_objects_full_of_uris_take_neither_the_memory_nor_the_loop() -> None:
    job = the_job(60)
    large = [full_of_uris(number, f"{URI}/data") for number in range(9)]
    others = [full_of_uris(number, "") for number in range(9, 20)]
    known = references(Api(), DUE, job, *others, *large)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    tracemalloc.start()
    found = await known.known(TrainingJob.model_validate(job))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    counting.cancel()
    assert uris(found) == {"TrainingJob large-0": {f"{URI}/data"}}
    assert peak < 16 << 20
    assert turns > 5


async def test_where_nobody_knows_where_artifacts_lie_nobody_is_looked_for() -> None:
    async def nowhere(_namespace: str, _owner: str) -> str:
        raise CredentialError("The store is away.")

    job, api = the_job(60), cast(Client, Api())
    known = References(api, Cache(), Settings(), nowhere, lambda: DUE)
    assert await known.known(TrainingJob.model_validate(job)) is None


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the objects that are unfolded from now on: 20 of them take a ms."""
    names: list[str] = []
    unpack = packing.unpack

    def noted(packed: bytes) -> Manifest:
        names.append(unpack(packed)["metadata"]["name"])
        return unpack(packed)

    monkeypatch.setattr(packing, "unpack", noted)
    return names


async def test_jobs_that_have_ended_are_not_unfolded_to_see_that_they_name_nothing(
    unfolded: list[str],
) -> None:
    job = the_job(60)
    there = [named("ModelDeployment", "web"), named("TrainingJob", "over", status=ended())]
    known = references(Api(), DUE, job, *there)
    assert await known.known(TrainingJob.model_validate(job)) == ()
    assert set(unfolded) == {"web"}


def test_nothing_is_unfolded_to_see_whose_accounts_are_needed(unfolded: list[str]) -> None:
    cache = Cache()
    for obj in around(the_job(60)):
        cache.feed(obj)
    facts = ClusterFacts(cast(Client, Api()), cache, "slipway-store")
    assert facts.owners("default") == {"uid-of-job", "web", "reads", "has-read"}
    assert facts.owners("other") == frozenset()
    assert unfolded == []


@pytest.mark.parametrize(("seconds", "later"), [(None, 10**6), (60, 59)])
async def test_nobody_is_looked_for_while_nothing_is_due(seconds: int | None, later: int) -> None:
    job = the_job(seconds)
    known = references(Api(), END + timedelta(seconds=later), *around(job))
    assert await known.known(TrainingJob.model_validate(job)) is None


async def test_before_a_removal_the_api_server_is_asked_and_not_the_cache_alone() -> None:
    job = the_job(60)
    new = named("ModelDeployment", "new", spec={"model": {"uri": f"{URI}/new.mar"}})
    api = Api(job, named("TrainingJob", "has-read", status=ended(), spec={"a": URI}), new)
    removal = Removal("default", job["metadata"]["uid"], "2026-01-01T00:00:00Z", (OUTPUT,))
    found = await references(api, END, *around(job)).live(removal)
    assert uris(found) == {"ModelDeployment new": {f"{URI}/new.mar"}}
    assert all("/namespaces/default/" in path for path in api.paths)


async def test_the_records_of_revisions_are_asked_before_a_removal_too() -> None:
    job = the_job(60)
    removal = Removal("default", job["metadata"]["uid"], "2026-01-01T00:00:00Z", (OUTPUT,))
    found = await references(Api(job), END, *around(job)).live(removal)
    assert [one.user for one in found] == ["a revision of ModelDeployment web"]


async def test_an_object_that_cannot_be_read_may_name_all_there_is() -> None:
    why = {"unreadable": "its spec has 1500000 bytes"}
    api = Api(named("ModelDeployment", "large", spec=why))
    (found,) = await references(api, END).live(Removal("default", "u", "", (OUTPUT,)))
    assert found.names(OUTPUT)


async def test_an_api_server_that_fails_lets_nothing_be_removed() -> None:
    api = Api()
    api.error = KubeError("The API server is away.", 503)
    with pytest.raises(UnansweredError, match="away"):
        await references(api, END).live(Removal("default", "u", "", (OUTPUT,)))
