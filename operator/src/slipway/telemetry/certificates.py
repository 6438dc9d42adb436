"""When the certificates run out that the operator depends on: the API server's and the store's."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from slipway.telemetry.catalogue import Sample

_LOG = logging.getLogger(__name__)
_PERIOD_SECONDS = 3600.0
_TIMEOUT_SECONDS = 10.0
_MOST_AUTHORITIES = 16
"""A cluster has few authorities of its own; more of them are a system's bundle."""


def authority_expiry(context: ssl.SSLContext) -> float | None:
    """Return when the first of a cluster's own authorities runs out, in seconds since 1970."""
    found = context.get_ca_certs()
    ends = [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in found]
    return float(min(ends)) if ends and len(ends) <= _MOST_AUTHORITIES else None


async def peer_expiry(url: str, context: ssl.SSLContext) -> float | None:
    """Return when the certificate that a server shows runs out; None for a URL without TLS.

    Raises OSError (``ssl.SSLError`` among them) where there is no connection.
    """
    at = urlsplit(url)
    if at.scheme != "https" or not at.hostname:
        return None
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        _, writer = await asyncio.open_connection(at.hostname, at.port or 443, ssl=context)
    try:
        shown = writer.get_extra_info("peercert") or {}
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return float(ssl.cert_time_to_seconds(shown["notAfter"])) if shown else None


class Certificates:
    """Looks at the certificates now and then."""

    def __init__(self) -> None:
        self._expiries: dict[str, float] = {}

    def samples(self) -> Iterator[Sample]:
        """Yield when each certificate runs out, in seconds since 1970, by its name."""
        for name, expiry in self._expiries.items():
            yield (name,), expiry

    async def run(
        self,
        servers: Mapping[str, str],
        context: ssl.SSLContext,
        store: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        """Look once an hour until cancelled; ``servers`` maps a name to a base URL.

        ``context`` trusts the cluster's authorities, what ``store`` returns those of the others.
        """
        while True:
            self._note("api-server-authority", authority_expiry(context))
            for name, url in servers.items():
                await self._look(name, url, (lambda: context) if name == "api-server" else store)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def _look(self, name: str, url: str, trust: Callable[[], ssl.SSLContext]) -> None:
        try:
            self._note(name, await peer_expiry(url, trust()))
        except (OSError, TimeoutError) as error:
            _LOG.debug("The certificate of %s could not be looked at: %s", url, error)

    def _note(self, name: str, expiry: float | None) -> None:
        if expiry is not None:
            self._expiries[name] = expiry
