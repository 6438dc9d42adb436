"""Namespaces with many objects: so many and no more, and their listings delay nobody else's."""

import os
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from dev import gotools
from tests.harness.s3 import S3Server
from tests.unit.accounts.conftest import World, refusal

MANY = 60_000
LISTINGS = 16
MOST_MIB = 60
"""What all these listings at once may cost the store; without turns it was 300."""
MOST_OBJECTS = 40


@pytest.fixture
async def bounded(tmp_path: Path) -> AsyncIterator[World]:
    """A store with a bound on objects, and two namespaces."""
    gotools.ensure(["slipway-store"])
    store = S3Server(tmp_path / "s3", objects=MOST_OBJECTS)
    store.start()
    world = World(store)
    for name in ("attacker", "victim"):
        world.cluster.add(name, f"uid-of-{name}")
        await world.open(name)
    yield world
    store.stop()


def bucket_of(world: World, namespace: str) -> str:
    return world.cluster.buckets[namespace].split("/")[0]


@pytest.mark.parametrize("what", ["objects", "folders", "uploads"])
async def test_a_namespace_stores_so_many_objects_and_another_goes_on(
    bounded: World, what: str
) -> None:
    bucket, client = bucket_of(bounded, "attacker"), bounded.client("attacker")

    def add(number: int) -> str:
        key = f"outputs/attacker/{number}"
        if what == "uploads":
            begin = client.raw.create_multipart_upload
            return refusal(lambda: begin(Bucket=bucket, Key=key))
        return client.put(bucket, f"{key}/" if what == "folders" else key, b"")

    told = [add(number) for number in range(MOST_OBJECTS + 5)]
    assert told[0] == ""
    assert told[-1] == "QuotaExceeded"
    victims = bucket_of(bounded, "victim")
    assert bounded.client("victim").put(victims, "outputs/victim/x") == ""


async def test_listings_of_many_objects_fill_no_memory_and_delay_nobody(world: World) -> None:
    for name in ("attacker", "victim"):
        world.cluster.add(name, f"uid-of-{name}")
        await world.open(name)
    bucket, victims = bucket_of(world, "attacker"), bucket_of(world, "victim")
    folder = world.store.folder / "buckets" / bucket / "outputs" / "attacker"
    folder.mkdir(parents=True)
    for number in range(MANY):
        os.close(os.open(folder / f"{number:09d}{'x' * 80}", os.O_CREAT))
    before = world.store.peak_mib
    lists = partial(world.client("attacker").list, bucket, "outputs/attacker/")
    each = [threading.Thread(target=lists) for _ in range(LISTINGS)]
    for thread in each:
        thread.start()
    assert world.client("victim").list(victims, "outputs/victim/") == ""
    assert any(thread.is_alive() for thread in each), "the victim waited for none but its own"
    for thread in each:
        thread.join()
    assert world.store.peak_mib < before + MOST_MIB
