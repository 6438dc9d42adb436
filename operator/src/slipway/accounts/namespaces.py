"""Where a namespace's artifacts lie in the release's store."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from slipway.accounts.cluster import Cluster, NamespaceFacts, StoreSecret
from slipway.accounts.errors import CredentialError
from slipway.accounts.names import CLAIMS, SINCE, Tenant, claimed
from slipway.accounts.server.admin import StoreServer
from slipway.settings import FOLDERS

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A namespace and its bucket, which is the release's where 0.2.0 put its artifacts there."""

    tenant: Tenant
    bucket: str

    @property
    def uri(self) -> str:
        """The bucket as a URI."""
        return f"s3://{self.bucket}"

    @property
    def is_own(self) -> bool:
        """Whether the bucket is the namespace's alone."""
        return self.bucket == self.tenant.bucket


@dataclass(frozen=True)
class _Known:
    place: Place
    owners: frozenset[str]
    is_sure: bool
    """Whether the store said so, and not a Secret while the store was away."""


class Places:
    """Knows the place of each namespace; decides it once, and the store remembers it.

    A namespace has a bucket of its own. One that was there before there were accounts, and has
    artifacts of release 0.2.0 or pods that make some, keeps its folders in the release's bucket. A
    claim with its UID says so: a later namespace of the same name gets nothing of it.

    While the store is away, the namespace's Secret is asked, where the operator wrote the bucket,
    or the namespace's own administrator did on a Secret that the operator leaves alone.
    Of what it says, only the two buckets that are possible are believed, and only until the store
    answers. A wrong one of the two opens nothing: the store's policies know the accounts.
    """

    def __init__(
        self, server: StoreServer, cluster: Cluster, bucket: str, is_root: Callable[[str], bool]
    ) -> None:
        self._server = server
        self._cluster = cluster
        self._bucket = bucket
        self._is_root = is_root
        self._known: dict[str, _Known] = {}

    async def place(self, namespace: str, owner: str) -> Place:
        """Return a namespace's place for one of its objects, by the object's UID.

        An object that was there when the namespace was looked at may rely on it: were the
        namespace deleted since, the object would be gone as well. A newer one may not.

        Raises ``CredentialError`` where the store cannot be asked, and nothing else tells.
        """
        known = self._known.get(namespace)
        if known is not None and known.is_sure and owner in known.owners:
            return known.place
        owners = self._cluster.owners(namespace) | {owner}
        facts = await self._cluster.namespace(namespace)
        if facts is None:
            raise CredentialError(f"The namespace {namespace} is gone, so it gets no account.")
        tenant = Tenant(namespace, facts.uid)
        if known is None or not known.is_sure or known.place.tenant != tenant:
            place, is_sure = await self._learn(tenant, facts)
        else:
            place, is_sure = known.place, True
        # Where the last object has gone meanwhile, nobody would have the namespace forgotten.
        if self._cluster.owners(namespace):
            self._known[namespace] = _Known(place, owners, is_sure)
        return place

    async def _learn(self, tenant: Tenant, facts: NamespaceFacts) -> tuple[Place, bool]:
        """Return a namespace's place, and whether the store said so."""
        try:
            return Place(tenant, await self._decide(tenant, facts)), True
        except CredentialError as error:
            bucket = await self._remembered(tenant)
            if bucket is None:
                raise
            _LOG.warning("The place of %s is what its Secret says: %s", tenant.namespace, error)
            return Place(tenant, bucket), False

    async def _remembered(self, tenant: Tenant) -> str | None:
        """Return the bucket by the namespace's Secret, if it is one of the two that can be.

        Where there is no Secret, nothing can be stored until the store has answered.
        """
        secret = await self._cluster.secret(tenant.namespace)
        if secret is None:
            return tenant.bucket
        if secret.bucket in (tenant.bucket, self._bucket):
            return secret.bucket
        return self._bucket if self._is_of_0_2_0(secret) else None

    def _is_of_0_2_0(self, secret: StoreSecret | None) -> bool:
        """Tell whether a Secret holds the store's root key, as those of release 0.2.0 do."""
        if secret is None or not secret.is_ours:
            return False
        return self._is_root(secret.data.get("AWS_ACCESS_KEY_ID", ""))

    def last(self, namespace: str) -> Place | None:
        """Return the place that `place` told last."""
        known = self._known.get(namespace)
        return known.place if known else None

    def forget(self, namespace: str) -> None:
        """Remember nothing of a namespace any more."""
        self._known.pop(namespace, None)

    async def _decide(self, tenant: Tenant, facts: NamespaceFacts) -> str:
        if await self._server.has_bucket(tenant.bucket):
            return tenant.bucket
        folder = f"{CLAIMS}/{tenant.namespace}/"
        claims = claimed(await self._server.keys(self._bucket, folder))
        if claims:
            return self._bucket if tenant in claims else tenant.bucket
        if await self._is_of_an_old_release(tenant, facts):
            await self._server.mark(self._bucket, tenant.claim)
            return self._bucket
        return tenant.bucket

    async def _is_of_an_old_release(self, tenant: Tenant, facts: NamespaceFacts) -> bool:
        since = await self._server.marked_at(self._bucket, SINCE)
        if since is None:
            await self._server.mark(self._bucket, SINCE)
        elif facts.created > since:
            return False
        if self._is_of_0_2_0(await self._cluster.secret(tenant.namespace)):
            return True
        for folder in FOLDERS:
            prefix = f"{folder}/{tenant.namespace}/"
            if await self._server.keys(self._bucket, prefix, most=1):
                return True
        return False
