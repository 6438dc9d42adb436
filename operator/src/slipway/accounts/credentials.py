"""What opens the store to namespaces, whichever way a release does it."""

from collections.abc import Mapping
from typing import Protocol


class Credentials(Protocol):
    """What opens the store to namespaces."""

    async def place(self, namespace: str, owner: str) -> str:
        """Return the URI of a namespace's artifacts, for an object by its UID."""

    async def data(self, namespace: str, live: Mapping[str, str] | None) -> Mapping[str, str]:
        """Return what belongs into a namespace's Secret, which holds ``live``."""

    async def remove(self, namespace: str) -> None:
        """Take away what was made for a namespace."""
