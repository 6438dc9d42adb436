"""The Lease: whoever holds it does not outlive it."""

import asyncio
import contextlib
import time
from typing import Any, cast

import pytest

from slipway.kube.client import Client
from slipway.kube.election import lease
from slipway.kube.errors import Conflict, KubeError, NotFound, Unavailable
from slipway.plan import Manifest


class Record:
    holder_identity = "me"


class HangingClient:
    """Takes the first write, and answers nothing after that."""

    async def create(self, *_: object) -> Manifest:
        return {"metadata": {"name": "l", "namespace": "n"}, "spec": {"holderIdentity": "me"}}

    async def request(self, method: str, *_: object, **__: object) -> Manifest:
        if method == "post":
            return {"status": {"userInfo": {"username": "somebody"}}}
        await asyncio.Event().wait()
        raise AssertionError

    async def get(self, *_: object) -> Manifest:
        return await self.request("get")

    async def replace(self, *_: object) -> Manifest:
        return await self.request("put")


async def within_its_time(answer: Any) -> Any:
    return await asyncio.wait_for(answer, 60)


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


class Held:
    """Has a Lease that others hold in turn."""

    def __init__(self, *holders: str) -> None:
        self.holders = list(holders)

    async def request(self, *_: object, **__: object) -> Manifest:
        spec = {"holderIdentity": self.holders.pop(0), "leaseDurationSeconds": 15}
        return {"metadata": {"name": "l", "namespace": "n"}, "spec": spec}


async def test_a_replica_that_waits_says_once_for_whom(caplog: pytest.LogCaptureFixture) -> None:
    holders = ("other", "other", "other", "third", "me", "", "third")
    lock = lease.LeaseLock(cast(Client, Held(*holders)), "n", "me")
    with caplog.at_level("INFO"):
        for _ in holders:
            await lock.get("l", "n")
    told = [record.getMessage().partition(" is held by ")[2] for record in caplog.records]
    assert told == ["'other'", "'third'", "'third'"]


async def test_who_ends_waits_for_no_silent_server_to_take_the_lease_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lease, "_RELEASE_SECONDS", 0.1)
    lock = lease.LeaseLock(cast(Client, HangingClient()), "n", "me")
    assert await lock.create("l", "n", Record())
    await within_its_time(lock.release())


class ReviewingClient:
    """Says who the client is, and keeps the Lease that is written."""

    def __init__(self, user: Manifest | KubeError) -> None:
        self._user = user
        self.lease: Manifest = {}
        self.reviews = 0

    async def request(self, *_: object, **__: object) -> Manifest:
        self.reviews += 1
        if isinstance(self._user, KubeError):
            raise self._user
        return {"status": {"userInfo": self._user}}

    async def create(self, _resource: object, _namespace: str, body: Manifest) -> Manifest:
        self.lease = body
        return body

    async def replace(self, _resource: object, body: Manifest) -> Manifest:
        self.lease = body
        return body


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "ship", "uid": "7"}


async def test_the_lease_belongs_to_the_operators_service_account_and_goes_with_it() -> None:
    client = ReviewingClient({"username": "system:serviceaccount:n:ship", "uid": "7"})
    lock = lease.LeaseLock(cast(Client, client), "n", "me")
    assert await lock.create("l", "n", Record())
    assert client.lease["metadata"]["ownerReferences"] == [ACCOUNT]
    assert await lock.update("l", "n", Record())
    assert client.lease["metadata"]["ownerReferences"] == [ACCOUNT]
    assert client.reviews == 1


@pytest.mark.parametrize(
    "user",
    [
        {"username": "admin", "uid": "7"},
        {"username": "system:serviceaccount:other:ship", "uid": "7"},
        {"username": "system:serviceaccount:n:ship"},
        Unavailable("The API server does not answer."),
    ],
    ids=["a person", "another namespace's", "no uid", "no answer"],
)
async def test_a_lease_without_such_an_account_has_no_owner(user: Manifest | KubeError) -> None:
    client = ReviewingClient(user)
    lock = lease.LeaseLock(cast(Client, client), "n", "me")
    assert await lock.create("l", "n", Record())
    assert client.lease["metadata"]["ownerReferences"] == []


async def test_a_clock_that_is_set_back_while_nothing_answers_makes_no_leader_last_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library goes by the time of day, which an hour ago says that there is much time left."""
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 3)
    monkeypatch.setattr(lease, "_RENEW_SECONDS", 2)
    monkeypatch.setattr(lease, "_RETRY_SECONDS", 1)
    monkeypatch.setattr(lease, "_RELEASE_SECONDS", 0.05)
    day, now = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: day() + now[0])

    leading = asyncio.Event()

    class AwayLater(HangingClient):
        """Answers until somebody leads; its clock is set back at the first question after that."""

        async def request(self, method: str, *args: object, **named: object) -> Manifest:
            if method == "get" and leading.is_set():
                now[0] = -3600.0
            elif method == "get":
                raise NotFound("none yet", 404)
            return await super().request(method, *args, **named)

    lock = lease.LeaseLock(cast(Client, AwayLater()), "n", "me")
    await asyncio.wait_for(lease.lead(lock, leading.set), 120)
    assert leading.is_set()


class DropsItsCancellation(HangingClient):
    """Hands the Lease out once; then each request goes on whoever cancels it."""

    asked, let_go = 0, False

    async def request(self, method: str, *args: object, **named: object) -> Manifest:
        self.asked += 1
        if method == "get" and self.asked == 1:
            raise NotFound("none yet", 404)
        while method == "get" and not self.let_go:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.1)
        return await super().request("post")


def _shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all times be as short as the library takes them."""
    for name, seconds in {"_LEASE": 3, "_RENEW": 2, "_RETRY": 1, "_END": 0.2}.items():
        monkeypatch.setattr(lease, f"{name}_SECONDS", seconds)
    monkeypatch.setattr(lease, "_RELEASE_SECONDS", 0.1)


async def test_a_request_that_drops_its_cancellation_keeps_no_leader_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither leading nor gone, it would stay there, and nobody would lead."""
    _shorten(monkeypatch)
    client, leading = DropsItsCancellation(), asyncio.Event()
    lock = lease.LeaseLock(cast(Client, client), "n", "me")
    task = asyncio.create_task(lease.lead(lock, leading.set))
    try:
        done, _ = await asyncio.wait({task}, timeout=120)
        assert leading.is_set()
        assert done
    finally:
        client.let_go = True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class OthersLease:
    """A Lease of another replica, which renews it as long as it lives."""

    def __init__(self) -> None:
        self.lives, self.renewed, self.taken = True, 0, False

    async def request(self, method: str, *_: object, **__: object) -> Manifest:
        if method == "post":
            return {"status": {"userInfo": {"username": "somebody"}}}
        self.renewed += self.lives
        spec = {
            "holderIdentity": "other",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00Z",
            "renewTime": f"2026-01-01T00:00:00.{self.renewed:06}Z",
            "leaseTransitions": 2**31 - 1,
        }
        return {"metadata": {"name": "l", "namespace": "n"}, "spec": spec}

    async def replace(self, _: object, body: Manifest) -> Manifest:
        self.taken = True
        self.written = body["spec"]
        return body

    async def get(self, *_: object) -> Manifest | None:
        return None


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Short times, and a clock that is off by so many seconds as the list says."""
    _shorten(monkeypatch)
    day, by = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: day() + by[0])
    return by


@pytest.mark.parametrize("by", [-3600.0, 0.0])
async def test_a_leader_that_died_is_followed_in_time_though_the_clock_was_set_back(
    by: float, shifted: list[float]
) -> None:
    client, leading = OthersLease(), asyncio.Event()
    task = asyncio.create_task(
        lease.lead(lease.LeaseLock(cast(Client, client), "n", "me"), leading.set)
    )
    try:
        while not client.renewed:
            assert not task.done()
            await asyncio.sleep(0.01)
        client.lives, shifted[0] = False, by
        await asyncio.wait_for(leading.wait(), 120)
        assert client.written["leaseTransitions"] == 2**31 - 1, "a Lease counts no further"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_leader_that_lives_keeps_its_lease_though_a_clock_was_set_forward(
    shifted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three times what passes from one renewal to the next, and less than five.
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 6)

    class Slow(OthersLease):
        """Its leader has not renewed the Lease at every look."""

        renewed_at = 0.0

        async def request(self, method: str, *args: object, **named: object) -> Manifest:
            if method == "get" and self.lives:
                self.renewed_at = time.monotonic()
            found = await super().request(method, *args, **named)
            self.lives = not self.lives
            return found

        async def replace(self, _: object, body: Manifest) -> Manifest:
            """Refuse it; on a busy machine the Lease may run out between two looks."""
            self.taken |= time.monotonic() - self.renewed_at < 6
            raise Conflict("it was renewed", 409)

    client = Slow()
    task = asyncio.create_task(
        lease.lead(lease.LeaseLock(cast(Client, client), "n", "me"), lambda: None)
    )
    try:
        while client.renewed < 5:
            assert not task.done()
            await asyncio.sleep(0.2)
            shifted[0] += 3600.0
        assert not client.taken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
