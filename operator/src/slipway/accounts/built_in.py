"""Accounts of the release's own store: one for each namespace, two while its key is renewed."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from slipway.accounts.cluster import Cluster
from slipway.accounts.errors import CredentialError
from slipway.accounts.names import CLAIMS, AccountName, claimed
from slipway.accounts.namespaces import Place, Places
from slipway.accounts.policy import Folder, own_bucket, release_bucket
from slipway.accounts.server.admin import Account, StoreServer
from slipway.accounts.server.signing import Key

_LOG = logging.getLogger(__name__)
_BELIEVED_SECONDS = 30.0
"""How long a list of the store's accounts is believed."""
_SPREAD = timedelta(minutes=2)
"""By then every pod that is made has the Secret's present content."""


class BuiltInAccounts:
    """Makes, checks and removes the accounts of the namespaces that train or serve.

    The secret of an account is random, and kept in the namespace's Secret and by the store: the
    operator needs no memory, and no key from which all could be derived.
    """

    def __init__(
        self,
        server: StoreServer,
        cluster: Cluster,
        root: Key,
        bucket: str,
        shared: Sequence[Folder],
        max_age: timedelta | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._server = server
        self._cluster = cluster
        self._places = Places(server, cluster, bucket, lambda access: access == root.id)
        self._root = root
        self._bucket = bucket
        self._shared = shared
        self._max_age = max_age
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._believed_until = -1.0
        self._let_in: dict[str, list[AccountName]] = {}
        self._turn = asyncio.Lock()

    async def place(self, namespace: str, owner: str) -> str:
        """Return the URI under which a namespace's artifacts lie, for an object by its UID."""
        return (await self._places.place(namespace, owner)).uri

    async def data(self, namespace: str, live: Mapping[str, str] | None) -> dict[str, str]:
        """Return the key for a namespace's Secret, which holds ``live`` or is not there.

        Whoever deletes the Secret gets a new account, and the old one goes when no pod can hold it.
        While the store is away, a key that may well be right stays.
        """
        place = self._places.last(namespace)
        if place is None:
            raise CredentialError(f"Nothing is known yet of the namespace {namespace}.")
        told = _told(place, live or {}, self._clock())
        try:
            async with self._turn:
                account = await self._account(place, told)
        except CredentialError as error:
            if told is None:
                raise
            _LOG.warning("The account %s was not checked: %s", told.access, error)
            account = told
        return {"AWS_ACCESS_KEY_ID": account.access, "AWS_SECRET_ACCESS_KEY": account.secret}

    async def _account(self, place: Place, told: Account | None) -> Account:
        await self._list()
        account = await self._current(place, told) if told else None
        account = account or await self._make(place)
        await self._let_in_all(place)
        await self._retire(place, account)
        return account

    async def remove(self, namespace: str) -> None:
        """Take away the accounts of a namespace; what it stored stays."""
        async with self._turn:
            place = self._places.last(namespace)
            if place is not None and place.is_own:
                self._let_in.pop(place.bucket, None)
            self._places.forget(namespace)
            await self._list()
            for name in [name for name in self._names() if name.namespace == namespace]:
                await self._remove(name)

    async def _list(self) -> None:
        """Learn which accounts there are, and take away those of namespaces that need none."""
        if time.monotonic() < self._believed_until:
            return
        self._accounts = await self._server.accounts()
        self._believed_until = time.monotonic() + _BELIEVED_SECONDS
        for name in self._names():
            if not self._cluster.owners(name.namespace):
                await self._remove(name)

    def _names(self) -> list[AccountName]:
        found = (AccountName.parse(access) for access in self._accounts)
        return sorted(name for name in found if name is not None)

    def _own(self, place: Place) -> list[AccountName]:
        return [name for name in self._names() if place.tenant.owns(name)]

    async def _current(self, place: Place, told: Account) -> Account | None:
        """Return the account that the Secret names, unless it is to be renewed.

        One that the store lost, with its volume, is made again as it was: running pods have it.
        """
        age = self._clock() - AccountName.of(told.access).made_at
        if self._max_age is not None and age > self._max_age:
            _LOG.info("The account %s is renewed", told.access)
            return None
        if told.access not in self._accounts:
            await self._add(place, told)
        return self._accounts[told.access]

    async def _make(self, place: Place) -> Account:
        name = place.tenant.account(self._clock())
        while str(name) in self._accounts:
            name = AccountName(name.namespace, name.short_uid, name.made + 1)
        return await self._add(place, Account(str(name), secrets.token_urlsafe(30)))

    async def _add(self, place: Place, account: Account) -> Account:
        self._let_in.pop(place.bucket, None)
        await self._server.make_account(account)
        self._accounts[account.access] = account
        return account

    async def _let_in_all(self, place: Place) -> None:
        """Have the policies name the accounts that there are."""
        if place.is_own and self._let_in.get(place.bucket) != self._own(place):
            await self._server.make_bucket(place.bucket, self._root.id)
            own = self._own(place)
            await self._server.set_policy(place.bucket, own_bucket(place.tenant, own))
            self._let_in[place.bucket] = own
        if self._let_in.get(self._bucket) != self._names():
            claims = claimed(await self._server.keys(self._bucket, f"{CLAIMS}/"))
            names = self._names()
            policy = release_bucket(self._bucket, names, claims, self._shared)
            await self._server.set_policy(self._bucket, policy)
            self._let_in[self._bucket] = names

    async def _retire(self, place: Place, current: Account) -> None:
        """Take away the other accounts of the namespace's name, once no pod can hold one."""
        names = (name for name in self._names() if name.namespace == place.tenant.namespace)
        others = [name for name in names if str(name) != current.access]
        if not others:
            return
        now, oldest = self._clock(), self._cluster.oldest_holder(place.tenant.namespace)
        settled = AccountName.of(current.access).made_at + _SPREAD
        unheld = now > settled and (oldest is None or oldest > settled)
        for name in others:
            if unheld or not place.tenant.owns(name):
                await self._remove(name)

    async def _remove(self, name: AccountName) -> None:
        await self._server.remove_account(str(name))
        self._accounts.pop(str(name), None)
        stale = [b for b, names in self._let_in.items() if name in names and b != self._bucket]
        for bucket in stale:
            del self._let_in[bucket]
        _LOG.info("The account %s is removed", name)


def _told(place: Place, live: Mapping[str, str], now: datetime) -> Account | None:
    """Return the account in a Secret, if it can be the namespace's.

    The accounts of one second are named after the seconds that follow, and another replica's clock
    may be ahead: a name may be of a moment that is near.
    """
    access, secret = live.get("AWS_ACCESS_KEY_ID", ""), live.get("AWS_SECRET_ACCESS_KEY", "")
    name = AccountName.parse(access)
    if name is None or not secret or not place.tenant.owns(name) or name.made_at > now + _SPREAD:
        return None
    return Account(access, secret)
