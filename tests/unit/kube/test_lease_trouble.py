"""A Lease that may not be read or written, or that another tool deletes or takes."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from slipway.kube.client import Client
from slipway.kube.election import account, lease
from slipway.kube.errors import AlreadyExists, Conflict, Forbidden, KubeError, NotFound
from slipway.plan import Manifest
from tests.unit.kube.test_lease import Record, _shorten

WORDS = {"get": "read", "create": "written", "replace": "written"}


class Api:
    """Has one Lease, or none; refuses what the test says."""

    def __init__(self, holder: str | None = None) -> None:
        self.refused: dict[str, KubeError] = {}
        self.allowed = True
        self.lease = None if holder is None else self._of(holder)
        self.writes = 0
        self.written = asyncio.Event()

    @staticmethod
    def _of(holder: str, renewed: int = 0) -> Manifest:
        moment = f"2026-01-01T00:00:00.{renewed:06}Z"
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": moment}
        meta = {"name": "l", "namespace": "n", "resourceVersion": str(1000 + renewed)}
        return {"metadata": meta, "spec": {**spec, "acquireTime": moment}}

    @property
    def holder(self) -> str:
        """Who has the Lease; empty where there is none."""
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""

    def take(self, holder: str) -> None:
        self.writes += 1
        self.lease = self._of(holder, self.writes)

    def _ask(self, verb: str) -> None:
        if verb in self.refused:
            raise self.refused[verb]

    async def request(self, method: str, *_: object, **__: object) -> Manifest:
        if method == "post":
            self._ask("review")
            told = {"userInfo": {"username": "somebody"}, "allowed": self.allowed}
            return {"status": told}
        self._ask("get")
        if self.lease is None:
            raise NotFound("none", 404)
        return self.lease

    async def create(self, _resource: object, _namespace: str, body: Manifest) -> Manifest:
        return self._write("create", body)

    async def replace(self, _resource: object, body: Manifest) -> Manifest:
        return self._write("replace", body)

    def _write(self, verb: str, body: Manifest) -> Manifest:
        self._ask(verb)
        self.writes += 1
        meta = {**body["metadata"], "resourceVersion": str(1000 + self.writes)}
        self.lease = {**body, "metadata": meta}
        self.written.set()
        return self.lease

    async def get(self, *_: object) -> Manifest | None:
        return self.lease


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which the Lease goes."""
    now = [1000.0]
    monkeypatch.setattr(lease, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def stand(lock: lease.LeaseLock) -> None:
    """Do what the library does each two seconds."""
    there, record = await lock.get("l", "n")
    if there:
        await lock.update("l", "n", Record())
    elif "404" in record.body:
        await lock.create("l", "n", Record())


@pytest.mark.parametrize("verb", WORDS)
async def test_a_replica_without_the_right_to_the_lease_says_so_until_it_has_it(
    verb: str, clock: list[float]
) -> None:
    api = Api(None if verb == "create" else "")
    api.refused[verb] = Forbidden(f"leases is forbidden: User cannot {verb} {'x' * 9000}", 403)
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    for _ in range(10):
        await stand(lock)
        clock[0] += 2
    assert lock.trouble.startswith(f"The Lease slipway-operator cannot be {WORDS[verb]}: leases is")
    assert len(lock.trouble) < 600
    api.refused.clear()
    await stand(lock)
    assert lock.trouble == ""


async def test_a_lost_answer_is_no_trouble_yet(clock: list[float]) -> None:
    api = Api("")
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    for _ in range(20):
        api.refused["get"] = Forbidden("no right", 403)
        await stand(lock)
        clock[0] += 2
        assert lock.trouble == ""
        api.refused.clear()
        await stand(lock)


async def test_who_waits_for_another_is_in_no_trouble(clock: list[float]) -> None:
    api = Api("other")
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    for _ in range(20):
        api.take("other")
        await stand(lock)
        clock[0] += 2
        assert lock.trouble == ""


@pytest.mark.parametrize(
    ("verb", "error"), [("create", AlreadyExists("taken", 409)), ("replace", Conflict("new", 409))]
)
async def test_where_another_was_faster_is_no_trouble(
    verb: str, error: KubeError, clock: list[float]
) -> None:
    api = Api(None if verb == "create" else "")
    api.refused[verb] = error
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    for _ in range(20):
        await stand(lock)
        clock[0] += 2
    assert lock.trouble == ""


async def leading(api: Api) -> "asyncio.Task[None]":
    """Return the election of a replica that leads."""
    begun = asyncio.Event()
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    task = asyncio.create_task(lease.lead(lock, begun.set))
    await asyncio.wait_for(begun.wait(), 120)
    return task


async def test_a_lease_that_is_deleted_is_made_anew_by_its_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _shorten(monkeypatch)
    api = Api()
    task = await leading(api)
    try:
        api.lease = None
        api.written.clear()
        await asyncio.wait_for(api.written.wait(), 120)
        assert api.holder == "me"
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_leader_ends_as_soon_as_it_sees_that_another_has_its_lease(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would try for as long as it may take to renew the Lease, and both would lead."""
    _shorten(monkeypatch)
    for name, seconds in {"_LEASE_SECONDS": 3600, "_RENEW_SECONDS": 3000}.items():
        monkeypatch.setattr(lease, name, seconds)
    api = Api()
    task = await leading(api)
    api.take("other")
    await asyncio.wait_for(task, 120)
    assert "Leadership was lost: another has the Lease" in caplog.text
    assert api.holder == "other", "it is left to its holder"


async def test_who_stands_by_and_may_not_write_the_lease_is_in_trouble_until_it_may(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Api("other")
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    await stand(lock)
    api.allowed = False
    await lock.rights.look()
    assert lock.trouble == "", "an API server that starts refuses what it allows later"
    await lock.rights.look()
    told = "This replica could not take over: it may not update the Lease slipway-operator."
    assert lock.trouble == told
    warnings = [one for one in caplog.records if one.levelname == "WARNING"]
    assert [one.getMessage() for one in warnings] == [told]
    api.refused["review"] = Forbidden("nobody may ask", 403)
    await lock.rights.look()
    assert lock.trouble == told, "no answer says nothing"
    api.refused.clear()
    api.allowed = True
    await lock.rights.look()
    assert lock.trouble == ""


async def test_who_stands_by_asks_for_its_rights_while_it_waits_and_who_leads_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _shorten(monkeypatch)
    monkeypatch.setattr(account, "_PERIOD_SECONDS", 0.01)
    api = Api("other")
    api.allowed = False
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    task = asyncio.create_task(lease.lead(lock, lambda: None))
    try:
        async with asyncio.timeout(60):
            while not lock.trouble:
                api.take("other")
                await asyncio.sleep(0.01)
            await api.written.wait()
        assert lock.trouble == ""
        assert api.holder == "me", "whoever was told the wrong thing leads all the same"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_replica_ends_once_the_lease_is_an_older_one_than_it_was_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The cluster was restored from a backup: who knows what came after knows the wrong thing."""
    _shorten(monkeypatch)
    api = Api()
    task = await leading(api)
    backup = api._of("me")
    api.lease, writes = backup, api.writes
    await asyncio.wait_for(task, 60)
    assert "The cluster was restored to an earlier state" in caplog.text
    assert (api.lease, api.writes) == (backup, writes), "who stands by is to see it, too"


async def test_who_stands_by_ends_too_once_the_lease_is_an_older_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _shorten(monkeypatch)
    api = Api()
    api.take("other")
    lock = lease.LeaseLock(cast(Client, api), "n", "me")
    await lock.get("l", "n")
    assert not lock.set_back.is_set()
    api.lease = api._of("")
    await asyncio.wait_for(lease.lead(lock, lambda: None), 60)
    assert lock.set_back.is_set()
    assert api.holder == ""
