"""Objects of a bucket, listed and removed with one credential."""

from collections.abc import Mapping
from xml.etree import ElementTree

from slipway.accounts.errors import CredentialError, Refused
from slipway.accounts.server.admin import Caller

_PAGE = 1000
"""Objects that are listed at a time."""


class Objects:
    """What one credential opens of the store's objects.

    ``in_host``: the server is told the bucket as the first part of its host, and not in the path.
    """

    def __init__(self, caller: Caller, *, in_host: bool = False) -> None:
        self._caller = caller
        self._in_host = in_host

    async def page(self, bucket: str, prefix: str, *, flat: bool) -> list[tuple[str, int]]:
        """Return the first keys that begin with a prefix, and their sizes in bytes.

        ``flat``: only those without a further slash. A bucket that is not there has none.
        """
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(_PAGE)}
        query |= {"delimiter": "/"} if flat else {}
        try:
            answer = await self._send("GET", bucket, query=query)
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
            await self._send("DELETE", bucket, key)
        except Refused as error:
            if error.status != 404:
                raise

    async def _send(
        self, method: str, bucket: str, key: str = "", query: Mapping[str, str] | None = None
    ) -> bytes:
        if self._in_host:
            answer, _ = await self._caller.send(method, f"/{key}", query=query, host=bucket)
        else:
            path = f"/{bucket}/{key}" if key else f"/{bucket}"
            answer, _ = await self._caller.send(method, path, query=query)
        return answer
