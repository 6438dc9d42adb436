"""The Lease: whoever holds it does not outlive it."""

import asyncio
from typing import Any, cast

import pytest

from slipway.kube import lease
from slipway.kube.client import Client
from slipway.plan import Manifest


class Record:
    holder_identity = "me"


class HangingClient:
    """Takes the first write, and answers nothing after that."""

    async def create(self, *_: object) -> Manifest:
        return {"metadata": {"name": "l", "namespace": "n"}, "spec": {"holderIdentity": "me"}}

    async def request(self, *_: object) -> Manifest:
        await asyncio.Event().wait()
        raise AssertionError

    async def replace(self, *_: object) -> Manifest:
        return await self.request()


async def within_its_time(answer: Any) -> Any:
    return await asyncio.wait_for(answer, 5)


async def test_a_request_that_hangs_ends_with_the_lease_that_it_should_renew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 0.3)
    lock = lease.LeaseLock(cast(Client, HangingClient()), "n", "me")
    assert await lock.create("l", "n", Record())
    there, _ = await within_its_time(lock.get("l", "n"))
    assert not there
    assert await lock.create("l", "n", Record())
    assert not await within_its_time(lock.update("l", "n", Record()))
