"""Credentials that are not made by the operator: one for all, or what a namespace brings itself."""

from collections.abc import Mapping

from slipway.accounts.errors import MissingCredentials
from slipway.settings import StoreSettings


class SharedCredential:
    """The release's own credential in every namespace: for a cluster with one tenant."""

    def __init__(self, store: StoreSettings) -> None:
        self._store = store

    async def place(self, _namespace: str, _owner: str) -> str:
        """Return the URI under which a namespace's artifacts lie."""
        return self._store.uri

    async def data(self, _namespace: str, _live: Mapping[str, str] | None) -> dict[str, str]:
        """Return the key for a namespace's Secret."""
        return {
            "AWS_ACCESS_KEY_ID": self._store.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self._store.secret_access_key.get_secret_value(),
        }

    async def remove(self, _namespace: str) -> None:
        """Do nothing: there is no account."""


class IdentityCredentials(SharedCredential):
    """What the pods' own identity in the cloud opens: no key of the operator's."""

    async def data(self, _namespace: str, _live: Mapping[str, str] | None) -> dict[str, str]:
        """Return no key."""
        return {}


class NamespaceCredentials(SharedCredential):
    """What lies in each namespace's own Secret, which its administrators make."""

    async def data(self, namespace: str, _live: Mapping[str, str] | None) -> dict[str, str]:
        """Raise, since the Secret that is to be filled is one that nobody made."""
        raise MissingCredentials(
            f"The namespace {namespace} has no Secret {self._store.secret_name}: make one with "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
