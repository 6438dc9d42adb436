"""The one way in which the operator asks addresses that it does not control.

An answer is bounded in size and in time, is read to its end, and comes from the address that was
asked: no redirect is followed, no proxy of the environment is used, nothing is unpacked.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from slipway.api.excerpt import excerpt
from slipway.controller.readers.asking.turns import Turns
from slipway.controller.readers.asking.wire import SoonFinal, connector

_CHUNK_BYTES = 1 << 16
_WHY_CHARACTERS = 256
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "slipway"}


class UnansweredError(Exception):
    """An address gave no whole answer within its bounds; the text says why, without a full stop."""


@dataclass(frozen=True)
class Bounds:
    """What one answer may cost.

    ``total_seconds`` is the time from the connection's begin to the answer's last byte,
    ``connect_seconds`` the share of it for the connection, ``most_bytes`` the body's length.
    """

    total_seconds: float
    connect_seconds: float
    most_bytes: int


@dataclass(frozen=True)
class Answer:
    """A whole answer: HTTP status, media type without parameters or empty, and body."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 become U+FFFD."""
        return self.body.decode("utf-8", "replace")


class BoundedReader:
    """HTTP requests of one class of targets, which share ``turns`` fairly.

    The time in which a request waits for its turn does not count against its target.
    """

    def __init__(
        self,
        bounds: Bounds,
        turns: Turns,
        resolver: AbstractResolver | None = None,
        trust: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._trust = trust
        self._bounds = bounds
        self._turns = turns
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, tenant: str) -> Answer:
        """Return what a URL answers to a GET; raises UnansweredError.

        ``tenant`` is on whose account the request goes: one tenant's silent targets use up that
        tenant's turns alone.
        """
        return await self._ask("GET", url, tenant, None)

    async def get_page(self, url: str, tenant: str) -> str:
        """Return the text of a page that is there (status 200); raises UnansweredError."""
        answer = await self.get(url, tenant)
        if answer.status != 200:
            raise UnansweredError(f"it answers with status {answer.status}")
        return answer.text

    async def head(self, url: str) -> Answer:
        """Return what a URL of the operator's own answers to a HEAD; raises UnansweredError."""
        return await self._ask("HEAD", url, "", None)

    async def post(self, url: str, tenant: str, form: Mapping[str, str]) -> Answer:
        """Return what a URL answers to a form; raises UnansweredError."""
        return await self._ask("POST", url, tenant, form)

    async def _ask(
        self, method: str, url: str, tenant: str, form: Mapping[str, str] | None
    ) -> Answer:
        async with self._turns.turn(tenant):
            try:
                async with self._opened().request(
                    method,
                    url,
                    data=form,
                    allow_redirects=False,
                    ssl=self._trust() if self._trust else True,
                ) as response:
                    return await self._whole(response)
            except aiohttp.ConnectionTimeoutError as error:
                seconds = self._bounds.connect_seconds
                raise UnansweredError(f"it takes no connection within {seconds:g} s") from error
            except TimeoutError as error:
                seconds = self._bounds.total_seconds
                raise UnansweredError(f"it gives no whole answer within {seconds:g} s") from error
            except (aiohttp.ClientError, OSError, ValueError) as error:
                why = excerpt(str(error), _WHY_CHARACTERS) or type(error).__name__
                raise UnansweredError(why) from error

    async def _whole(self, response: aiohttp.ClientResponse) -> Answer:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise UnansweredError("its answer is compressed, which it was not asked for")
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._bounds.most_bytes:
                raise UnansweredError(f"its answer is longer than {self._bounds.most_bytes} bytes")
        # aiohttp would parse the parameters too, of which 8 KB hold the event loop for a second.
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(response.status, media_type, bytes(body))

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, opened if need be; only where an event loop runs."""
        if self._session is None:
            bounds = self._bounds
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=bounds.total_seconds, connect=bounds.connect_seconds
                ),
                connector=connector(self._resolver),
                response_class=SoonFinal,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                read_bufsize=_CHUNK_BYTES,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def pod_url(address: str, port: int) -> str:
    """Return the URL of a pod's port by the pod's IP address, whichever family it is of."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
