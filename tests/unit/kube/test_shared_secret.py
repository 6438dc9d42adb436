"""The store's Secret, which all objects of a namespace share."""

import asyncio
from typing import cast

import pytest

from slipway.kube.client import Client
from slipway.kube.errors import Unavailable
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.apply import Writer
from slipway.plan import Delete, Manifest, ObjectRef
from slipway.settings import StoreSettings
from slipway.store import store_secrets
from tests.unit.controller.fakes import CREDENTIALS, FakeClient, training_job

(SECRET,) = store_secrets(StoreSettings(), "default")
FILL = CREDENTIALS.data


def owner(uid: str) -> Manifest:
    job = training_job("job")
    return {**job, "metadata": {**job["metadata"], "uid": uid}}


async def test_it_is_written_once_for_one_object() -> None:
    client = FakeClient()
    writer = Writer(cast(Client, client), Cache(), FILL)
    assert await writer.apply(SECRET, owner("a"))
    assert not await writer.apply(SECRET, owner("a"))
    assert not await writer.apply(SECRET, owner("b"))
    assert len(client.writes) == 1


async def test_it_is_written_again_for_a_new_object_where_the_namespace_was_made_anew() -> None:
    client = FakeClient()
    writer = Writer(cast(Client, client), Cache(), FILL)
    await writer.apply(SECRET, owner("a"))
    del client.objects[ObjectRef.of(SECRET)]
    assert await writer.apply(SECRET, owner("b"))


async def test_those_that_were_there_when_it_was_looked_at_do_not_look_again() -> None:
    client, cache = FakeClient(), Cache()
    writer = Writer(cast(Client, client), cache, FILL)
    for name in "abc":
        job = training_job(name)
        cache.feed({**job, "metadata": {**job["metadata"], "resourceVersion": "1", "uid": name}})
    assert await writer.apply(SECRET, owner("a"))
    client.failures["get"] = Unavailable("not to be asked")
    assert not await writer.apply(SECRET, owner("b"))
    assert not await writer.apply(SECRET, owner("c"))
    with pytest.raises(Unavailable):
        await writer.apply(SECRET, owner("new"))


async def test_one_that_the_namespace_brought_itself_is_left_alone() -> None:
    client = FakeClient()
    client.put({**SECRET, "metadata": {"name": "slipway-store", "namespace": "default"}})
    assert not await Writer(cast(Client, client), Cache(), FILL).apply(SECRET, owner("a"))
    assert client.writes == []


REF = ObjectRef.of(SECRET)


async def test_it_is_dropped_where_nobody_uses_it_any_more() -> None:
    client = FakeClient()
    writer = Writer(cast(Client, client), Cache(), FILL)
    await writer.apply(SECRET, owner("a"))
    assert not await writer.drop_shared(REF, lambda: False)
    assert REF in client.objects
    assert await writer.drop_shared(REF, lambda: True)
    assert REF not in client.objects
    assert not await writer.drop_shared(REF, lambda: True)


async def test_one_that_the_namespace_brought_itself_is_never_dropped() -> None:
    client = FakeClient()
    client.put({**SECRET, "metadata": {"name": "slipway-store", "namespace": "default"}})
    assert not await Writer(cast(Client, client), Cache(), FILL).drop_shared(REF, lambda: True)
    assert client.writes == []


class SlowlyDeletingClient(FakeClient):
    """Deletes nothing before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.deleting, self.may_delete = asyncio.Event(), asyncio.Event()

    async def delete(self, delete: Delete) -> Manifest:
        self.deleting.set()
        await self.may_delete.wait()
        return await super().delete(delete)


async def test_a_new_object_has_it_written_anew_that_comes_while_it_is_dropped() -> None:
    client = SlowlyDeletingClient()
    writer = Writer(cast(Client, client), Cache(), FILL)
    await writer.apply(SECRET, owner("a"))
    dropping = asyncio.create_task(writer.drop_shared(REF, lambda: True))
    await client.deleting.wait()
    writing = asyncio.create_task(writer.apply(SECRET, owner("new")))
    await asyncio.wait([writing], timeout=0.05)
    client.may_delete.set()
    assert await dropping
    assert await writing
    assert REF in client.objects
