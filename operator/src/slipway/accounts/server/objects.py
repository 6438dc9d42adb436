"""Objects of a bucket, listed and removed with one credential."""

from xml.etree import ElementTree

from slipway.accounts.errors import CredentialError, Refused
from slipway.accounts.server.admin import Caller

_PAGE = 1000
"""Objects that are listed at a time."""


class Objects:
    """What one credential opens of the store's objects."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def page(self, bucket: str, prefix: str, *, flat: bool) -> list[tuple[str, int]]:
        """Return the first keys that begin with a prefix, and their sizes in bytes.

        ``flat``: only those without a further slash. A bucket that is not there has none.
        """
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(_PAGE)}
        query |= {"delimiter": "/"} if flat else {}
        try:
            answer, _ = await self._caller.send("GET", f"/{bucket}", query=query)
        except Refused as error:
            if error.status == 404:
                return []
            raise
        try:
            listed = ElementTree.fromstring(answer).iterfind("{*}Contents")  # noqa: S314 - bounded
            return [
                (entry.findtext("{*}Key") or "", int(entry.findtext("{*}Size") or 0))
                for entry in listed
            ]
        except (ElementTree.ParseError, ValueError) as error:
            raise CredentialError(f"The store's list of {bucket} cannot be read.") from error

    async def remove(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is none the less gone."""
        try:
            await self._caller.send("DELETE", f"/{bucket}/{key}")
        except Refused as error:
            if error.status != 404:
                raise
