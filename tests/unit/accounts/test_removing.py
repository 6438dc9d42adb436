"""Removing what a job stored: a real versitygw, and a namespace's own key."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from slipway.api import TrainingJob
from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.removals import Removals
from slipway.plan import Reference, Removal, Removed, Target
from slipway.settings import StoreSettings
from slipway.store import checkpoint_folder, output_folder, package_folder
from tests.unit.accounts.conftest import World
from tests.unit.training.simulation import spec, training_job

NAMED = "ModelDeployment web"


class Remover:
    """A removal of a namespace's job, and what it tells."""

    def __init__(self, world: World, bucket: str, namespace: str = "team-a") -> None:
        self.world, self.namespace, self.bucket = world, namespace, bucket
        self.references: list[Reference] = []
        self.failures: list[str] = []
        self.away = False
        self.told = 0
        endpoint = f"http://127.0.0.1:{world.store.port}"
        self.settings = StoreSettings(endpoint=endpoint).at(f"s3://{bucket}")
        self.restart()

    def restart(self) -> None:
        self.removals = Removals(self.settings, self.held, self.live, self.count, pause=0.0)

    async def held(self, namespace: str) -> Mapping[str, str] | None:
        return self.world.cluster.secrets.get(namespace)

    async def live(self, _removal: Removal) -> list[Reference]:
        if self.away:
            raise UnansweredError("the API server is away")
        return self.references

    def count(self, _objects: int, _size: int, failure: str) -> None:
        self.failures += [failure] if failure else []

    def job(self, name: str = "net", uid: str = "u1") -> TrainingJob:
        job = training_job(spec())
        meta = {"namespace": self.namespace, "name": name, "uid": uid}
        return job.model_copy(update={"metadata": job.metadata.model_copy(update=meta)})

    def removal(self, *targets: Target, time: str = "2026-01-01T00:00:00Z") -> Removal:
        return Removal(self.namespace, "u1", time, targets)

    async def run(self, removal: Removal) -> Removed | None:
        """Do one pass to its end."""

        def tell() -> None:
            self.told += 1

        self.removals.begin(removal, tell)
        for task in tuple(self.removals._questions._tasks):
            await task
        return self.removals.outcome(removal.uid)


async def opened(world: World, namespace: str = "team-a", uid: str = "uid-a") -> Remover:
    world.cluster.add(namespace, uid, datetime(2027, 1, 1, tzinfo=UTC))
    return Remover(world, await world.open(namespace), namespace)


def stored(remover: Remover) -> list[str]:
    return sorted(remover.world.root().keys(remover.bucket))


def put(remover: Remover, *keys: str) -> None:
    client = remover.world.client(remover.namespace)
    assert [client.put(remover.bucket, key) for key in keys] == [""] * len(keys)


def output(remover: Remover) -> Target:
    return Target("the output", output_folder(remover.settings, remover.job()))


def archive(remover: Remover, number: int) -> Target:
    folder = package_folder(remover.settings, remover.job(), number)
    return Target(f"archive {number}", folder, "ab" * 32)


async def test_a_folder_goes_with_all_that_is_in_it_and_nothing_beside_it(world: World) -> None:
    remover = await opened(world)
    beside = [
        "checkpoints/team-a/net/u1/step-1/_manifest.json",
        "outputs/team-a/net/u10/model.pt",
        "outputs/team-a/net2/u1/model.pt",
        "outputs/team-b/net/u1/model.pt",
    ]
    names = ["_manifest.json", "model.pt", "a b/ü+%25.txt", "deep/er/x"]
    put(remover, *beside, *(f"outputs/team-a/net/u1/{name}" for name in names))
    found = await remover.run(remover.removal(output(remover)))
    assert found is not None
    assert (found.complete, found.objects, found.size_bytes) == (True, 3, 3)
    assert stored(remover) == beside


async def test_the_first_archive_goes_without_the_later_ones_beneath_its_folder(
    world: World,
) -> None:
    remover = await opened(world)
    place = "models/team-a/net/u1"
    kept = [f"{place}/3/lineage.json", f"{place}/3/net-1.2.mar"]
    gone = [f"{place}/lineage.json", f"{place}/net-1.0.mar", f"{place}/2/net-1.1.mar"]
    put(remover, *kept, *gone)
    found = await remover.run(remover.removal(archive(remover, 2), archive(remover, 1)))
    assert found is not None
    assert found.complete
    assert stored(remover) == kept


@pytest.mark.parametrize(
    "name",
    [
        lambda remover: Reference(NAMED, digests=frozenset({"ab" * 32})),
        lambda remover: Reference(
            NAMED, frozenset({f"s3://{remover.bucket}/models/team-a/net/u1/2/net-1.1.mar"})
        ),
    ],
)
async def test_what_began_to_be_named_meanwhile_is_kept_and_told(
    world: World, name: Callable[[Remover], Reference]
) -> None:
    remover = await opened(world)
    put(remover, "models/team-a/net/u1/2/net-1.1.mar", "outputs/team-a/net/u1/model.pt")
    remover.references = [name(remover)]
    removal = remover.removal(archive(remover, 2), output(remover))
    found = await remover.run(removal)
    assert found is not None
    assert not found.complete
    assert found.used == (f"archive 2 is kept, as {NAMED} names it",)
    assert stored(remover) == ["models/team-a/net/u1/2/net-1.1.mar"]
    remover.references = []
    again = await remover.run(removal)
    assert again is not None
    assert again.complete
    assert stored(remover) == []


async def test_without_the_api_servers_word_nothing_is_removed(world: World) -> None:
    remover = await opened(world)
    put(remover, "outputs/team-a/net/u1/model.pt")
    remover.away = True
    assert await remover.run(remover.removal(output(remover))) is None
    assert stored(remover) == ["outputs/team-a/net/u1/model.pt"]
    assert remover.failures == ["Unanswered"]


async def test_a_removal_goes_on_after_a_restart_and_may_be_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.controller.readers.removals._MOST_OBJECTS", 3)
    remover = await opened(world)
    steps = [f"checkpoints/team-a/net/u1/step-{step}" for step in range(2)]
    names = ("_manifest.json", "_node-0.json", "node-0/a", "node-0/b")
    put(remover, *(f"{step}/{name}" for step in steps for name in names))
    folder = checkpoint_folder(remover.settings, remover.job())
    removal = remover.removal(Target("the checkpoints", folder))
    first = await remover.run(removal)
    assert first is not None
    assert (first.complete, first.objects) == (False, 3)
    assert f"{steps[0]}/_manifest.json" not in stored(remover)
    for _ in range(3):
        remover.restart()
        last = await remover.run(removal)
    assert last is not None
    assert last.complete
    assert stored(remover) == []


async def test_a_key_that_may_not_is_told_and_does_no_harm(world: World) -> None:
    other = await opened(world, "team-b", "uid-b")
    put(other, "outputs/team-b/net/u1/model.pt")
    hostile = await opened(world)
    hostile.bucket = other.bucket
    hostile.settings = hostile.settings.at(f"s3://{other.bucket}")
    hostile.restart()
    found = await hostile.run(hostile.removal(output(other)))
    assert found is not None
    assert "AccessDenied" in found.refused
    assert not found.complete
    assert stored(other) == ["outputs/team-b/net/u1/model.pt"]
    world.cluster.secrets.pop("team-a")
    again = await hostile.run(hostile.removal(output(other), time="2026-01-02T00:00:00Z"))
    assert again is not None
    assert again.refused == "There is no key in the namespace that opens the store."
