"""Whom a store's certificate may be from, and how namespaces learn it."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from slipway.accounts.credentials import Credentials
from slipway.accounts.errors import CredentialError

CA_FILE = "ca.crt"
"""Key of the Secret that opens the store: the authorities of its certificate, in PEM."""
_MOST_BYTES = 256 * 1024


class Trust:
    """The authorities in a PEM file, which may change at any time; the system's without a file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._text = ""
        self._context = ssl.create_default_context()

    def text(self) -> str:
        """Return what is in the file now; raises OSError where it cannot be read."""
        if self._path is None:
            return ""
        with self._path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")

    def context(self) -> ssl.SSLContext:
        """Return what a connection to the store is made with.

        Raises OSError (``ssl.SSLError`` among them) where the file holds no certificates.
        """
        text = self.text()
        if text != self._text:
            self._context = ssl.create_default_context(cadata=text)
            self._text = text
        return self._context


class Trusted:
    """Credentials that come with the authorities of the store that they open."""

    def __init__(self, credentials: Credentials, trust: Trust) -> None:
        self._credentials = credentials
        self._trust = trust

    async def place(self, namespace: str, owner: str) -> str:
        """Return the URI of a namespace's artifacts, for an object by its UID."""
        return await self._credentials.place(namespace, owner)

    async def data(self, namespace: str, live: Mapping[str, str] | None) -> Mapping[str, str]:
        """Return what belongs into a namespace's Secret, which holds ``live``."""
        try:
            authorities = self._trust.text()
        except OSError as error:
            raise CredentialError(f"The store's authorities cannot be read: {error}") from error
        return {**await self._credentials.data(namespace, live), CA_FILE: authorities}

    async def remove(self, namespace: str) -> None:
        """Take away what was made for a namespace."""
        await self._credentials.remove(namespace)
