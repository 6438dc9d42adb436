"""Leader election by a Lease: of several operators, one acts and the others stand by."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from slipway.kube.client import Client
from slipway.kube.election.account import Rights, own_account
from slipway.kube.errors import KubeError, NotFound
from slipway.kube.resources import LEASES
from slipway.kube.watched.identity import version_of
from slipway.plan import Manifest, ObjectRef

_LOG = logging.getLogger(__name__)
LEASE_NAME = "slipway-operator"
_LEASE_SECONDS, _RENEW_SECONDS, _RETRY_SECONDS = 15, 10, 2
_PATIENCE_SECONDS = 60.0
"""How long a request may take, its retries included, while the Lease is not held."""
_RELEASE_SECONDS = 3.0
"""How long the operator waits at its end to give the Lease up, which runs out by itself."""
_END_SECONDS = 2.0
"""How long the election is waited for once it is to end: a request that drops its cancellation
would keep a replica there that leads no more, and has not ended."""
_LONGEST_REASON = 500
"""Longest reason that is told of a Lease, in characters."""
_MOST_TRANSITIONS = 2**31 - 1
"""What a Lease can count; somebody may have written that many."""


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class LeaseLock(BaseLock):  # type: ignore[misc]
    """A lock that keeps its record in a Lease, read and written as plain JSON.

    The client's own LeaseLock loads all typed models, and lets connection errors end the election.
    """

    def __init__(self, client: Client, namespace: str, identity: str) -> None:
        super().__init__(LEASE_NAME, namespace, identity)
        self._client = client
        self._lease: Manifest = {}
        self._held_until, self._written = 0.0, asyncio.Event()
        self._owners: list[Manifest] | None = None
        self._waits_for = ""
        self._seen: Mapping[str, Any] = {}
        self._seen_at = -math.inf
        self._why, self._failing_since = "", math.inf
        self.rights = Rights(client, namespace, self.name, lambda: self._is_held)
        self._newest = 0
        self.taken, self.set_back = asyncio.Event(), asyncio.Event()
        """Set once another has a Lease that this replica held; once the Lease is an older one than
        it was: the cluster has been restored from a backup, and what is known of it is not so."""

    @property
    def trouble(self) -> str:
        """Why this replica can neither lead nor stand by, as a sentence; empty where it can.

        It is told once that has lasted for as long as a Lease: one answer may be lost.
        """
        if time.monotonic() - self._failing_since > _LEASE_SECONDS:
            return self._why
        return "" if self._is_held else self.rights.trouble

    @property
    def _is_held(self) -> bool:
        return self._held_until > time.monotonic()

    def _note(self, what: str, why: str) -> None:
        """Note what could not be done, and why."""
        self._why = f"The Lease {self.name} cannot be {what}: {why[:_LONGEST_REASON]}"
        self._failing_since = min(self._failing_since, time.monotonic())

    async def run_out(self) -> None:
        """Wait until a Lease that was written is held no more, by a clock that only goes on.

        The library goes by the time of day: where that is set back while the API server is away, it
        would hold on to the Lease for as long. And it tries to renew one that another has for ten
        seconds, in which both would lead: somebody had deleted it.
        """
        await self._written.wait()
        while (left := self._held_until - time.monotonic()) > 0 and not self.taken.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.taken.wait(), left)

    def _patience(self) -> float:
        """Return for how many seconds a request may go on: no longer than the Lease is held.

        Whoever still waits for an answer after that would act beside the next leader.
        """
        left = self._held_until - time.monotonic()
        return left if left > 0 else _PATIENCE_SECONDS

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """Return (True, the record), or (False, an error whose body says whether it is a 404)."""
        try:
            path = LEASES.path(namespace, name)
            async with asyncio.timeout(self._patience()):
                self._read(await self._client.request("get", path))
        except (KubeError, TimeoutError) as error:
            failure = ApiException(reason=_reason(error))
            failure.body = '{"code": 404}' if isinstance(error, NotFound) else "{}"
            if not isinstance(error, NotFound):
                self._note("read", _reason(error))
            return False, failure
        spec = self._lease.get("spec") or {}
        self._tell_holder(str(spec.get("holderIdentity") or ""))
        if spec != self._seen:
            self._seen, self._seen_at = spec, time.monotonic()
        if self._is_of_another:
            self._failing_since = math.inf
            if self._is_held:
                self.taken.set()
        return True, self._record(spec)

    def _read(self, lease: Manifest) -> None:
        """Take in the Lease as it is now; its version only grows, also where it is made anew."""
        self._lease, version = lease, version_of(lease)
        if version < self._newest:
            self.set_back.set()
        self._newest = max(self._newest, version)

    @property
    def _is_of_another(self) -> bool:
        """Whether another replica holds the Lease that was read, by a clock that only goes on.

        It does as long as it renews it: by the time of day the library would wait for hours for one
        that has died, where the clock is set back, and take it from one that lives where it is set
        forward.
        """
        holder = self._seen.get("holderIdentity") or ""
        return holder not in ("", self.identity) and not self._is_old

    @property
    def _is_old(self) -> bool:
        return time.monotonic() - self._seen_at > _LEASE_SECONDS

    def _tell_holder(self, holder: str) -> None:
        """Log whom this replica waits for, once for each."""
        if holder not in ("", self.identity, self._waits_for):
            _LOG.info("This replica waits: the Lease %s is held by %r", self.name, holder[:253])
        self._waits_for = holder

    def _record(self, spec: Mapping[str, Any]) -> Any:
        """Return a record; one without a duration is anybody's, and so is one that is old."""
        seconds = None if self._is_old else spec.get("leaseDurationSeconds")
        return LeaderElectionRecord(
            holder_identity=spec.get("holderIdentity") or None,
            lease_duration=str(seconds) if seconds else None,
            acquire_time=spec.get("acquireTime"),
            renew_time=spec.get("renewTime"),
        )

    def _spec(self, record: Any) -> Manifest:
        before = self._lease.get("spec") or {}
        mine = before.get("holderIdentity") == self.identity
        transitions = int(before.get("leaseTransitions") or 0) + (0 if mine else 1)
        return {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "acquireTime": before.get("acquireTime") if mine else _micro_time(),
            "renewTime": _micro_time(),
            "leaseTransitions": min(transitions, _MOST_TRANSITIONS),
        }

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """Create the Lease; tell whether that worked."""
        self._lease = {}
        meta = await self._owned({"name": name, "namespace": namespace})
        body = self._manifest(meta, self._spec(election_record))
        return await self._write(self._client.create(LEASES, namespace, body))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        """Replace the Lease unless it changed since it was read; tell whether that worked."""
        if self._is_of_another or self.set_back.is_set():
            return False
        meta = await self._owned(self._lease["metadata"])
        body = self._manifest(meta, self._spec(updated_record))
        return await self._write(self._client.replace(LEASES, body))

    async def _owned(self, meta: Mapping[str, Any]) -> Manifest:
        """Return a Lease's metadata with the operator's service account as its owner.

        So the Lease goes when the release does. Outside a pod there is no such account.
        """
        if self._owners is None:
            try:
                async with asyncio.timeout(self._patience()):
                    self._owners = await own_account(self._client, self.namespace)
            except (KubeError, TimeoutError) as error:
                _LOG.warning("The Lease gets no owner: %s", _reason(error))
        owners = [*(meta.get("ownerReferences") or ()), *(self._owners or ())]
        unique = {owner["uid"]: owner for owner in owners}
        return {**meta, "ownerReferences": list(unique.values())}

    @staticmethod
    def _manifest(meta: Mapping[str, Any], spec: Manifest) -> Manifest:
        head = {"apiVersion": LEASES.api_version, "kind": LEASES.kind}
        return {**head, "metadata": dict(meta), "spec": spec}

    async def _write(self, request: Any) -> bool:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._patience()):
                self._read(await request)
        except (KubeError, TimeoutError) as error:
            _LOG.warning("The Lease was not written: %s", _reason(error))
            if getattr(error, "status", 0) != HTTPStatus.CONFLICT:  # where another was faster
                self._note("written", _reason(error))
            return False
        self._failing_since = math.inf
        self._held_until = begun + _LEASE_SECONDS
        self._written.set()
        return True

    async def release(self) -> None:
        """Give the Lease up, if it is held, so that a standby need not wait for its end."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._empty()
        except (KubeError, TimeoutError) as error:
            _LOG.warning("The Lease was not released: %s", _reason(error))

    async def _empty(self) -> None:
        ref = ObjectRef(LEASES.api_version, LEASES.kind, self.namespace, self.name)
        lease = await self._client.get(ref)
        held = (lease or {}).get("spec") or {}
        if not lease or held.get("holderIdentity") != self.identity:
            return
        spec = {**held, "holderIdentity": "", "leaseDurationSeconds": 1}
        await self._client.replace(LEASES, {**lease, "spec": spec})


def _reason(error: KubeError | TimeoutError) -> str:
    return str(error) or "no answer in time"


async def lead(lock: LeaseLock, started: Callable[[], None]) -> None:
    """Stand for election, call ``started`` once elected, and return when leadership is lost.

    Cancel it to step back: the Lease is released then.
    """

    async def on_started() -> None:
        started()

    async def on_stopped() -> None:
        _LOG.error("Leadership was lost")

    config = Config(lock, _LEASE_SECONDS, _RENEW_SECONDS, _RETRY_SECONDS, on_started, on_stopped)
    election = asyncio.create_task(LeaderElection(config).run())
    set_back = asyncio.create_task(lock.set_back.wait())
    ends = {election, asyncio.create_task(lock.run_out()), set_back}
    rights = asyncio.create_task(lock.rights.run())
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if set_back in done:
            _LOG.error("The cluster was restored to an earlier state: the operator begins anew")
        elif election in done:
            election.result()
        elif lock.taken.is_set():
            _LOG.error("Leadership was lost: another has the Lease %s", lock.name)
        else:
            _LOG.error("The Lease ran out before it could be renewed")
    finally:
        await _end({*ends, rights}, _END_SECONDS)
        if not lock.set_back.is_set():  # a write would hide it from the replicas that stand by
            # Not cancelled with whoever waits for it: the Lease would not be given up then.
            await asyncio.wait({asyncio.create_task(lock.release())}, timeout=2 * _RELEASE_SECONDS)


async def _end(tasks: Collection["asyncio.Task[Any]"], seconds: float) -> None:
    """Cancel tasks, and wait no longer than so for their end."""
    for task in tasks:
        task.cancel()
    done, left = await asyncio.wait(tasks, timeout=seconds)
    for task in done:
        if not task.cancelled():
            task.exception()
    if left:
        _LOG.error("The election has not ended in %.0f s; the operator ends without it", seconds)
