"""Requests to the store as its administrator: versitygw's own ones, and those of S3 that it takes.

Source: https://github.com/versity/versitygw/wiki/Admin-API-Reference
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import aiohttp
import yarl

from slipway.accounts.errors import CredentialError, Refused
from slipway.accounts.policy import Document
from slipway.accounts.server.signing import Key, Request, encoded, signed
from slipway.accounts.trust import Trust
from slipway.api.excerpt import excerpt

_TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
_SILENT_SECONDS = 5.0
"""For so long after a server did not answer it is not asked again: a worker waits for nothing."""
_MOST_BYTES = 16 * 1024 * 1024
"""Longest answer that is read: the list of some 50,000 accounts."""
_WORDS = 256
"""Longest excerpt of the store's own words in a message, in characters."""
_EXISTS = frozenset({"XAdminUserExists", "BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_NOTHING = frozenset({"XAdminUserNotFound", "NoSuchBucketPolicy"})


@dataclass(frozen=True)
class Account:
    """An account of the store: its access key ID and its secret."""

    access: str
    secret: str = field(repr=False)


class Caller:
    """Sends signed requests to one endpoint, a few at a time."""

    def __init__(
        self,
        endpoint: str,
        key: Key,
        region: str,
        service: str = "s3",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trust: Trust | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._trust = trust or Trust("")
        self._key = key
        self._region = region
        self._service = service
        self._clock = clock
        self._turn = asyncio.Semaphore(4)
        self._silent: tuple[float, str] = (-1.0, "")

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        host: str = "",
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return the body and the headers of an answer.

        ``host`` is the name that is put before the endpoint's, if any. Raises ``Refused`` for a
        status outside 2xx, and ``CredentialError`` without an answer.
        """
        tail = f"?{urlencode(query, quote_via=lambda text, *_: encoded(text))}" if query else ""
        endpoint = self._endpoint.replace("://", f"://{host}.", 1) if host else self._endpoint
        url = f"{endpoint}{encoded(path, '/')}{tail}"
        request = Request(method, url, body, headers or {})
        said = signed(request, self._key, self._service, self._region, self._clock())
        until, message = self._silent
        if time.monotonic() < until:
            raise CredentialError(message)
        try:
            async with self._turn:
                return await self._once(request, said)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            text = excerpt(str(error), _WORDS) or type(error).__name__
            message = f"The store at {self._endpoint} does not answer: {text}"
            self._silent = (time.monotonic() + _SILENT_SECONDS, message)
            raise CredentialError(message) from error

    async def _once(
        self, request: Request, headers: dict[str, str]
    ) -> tuple[bytes, Mapping[str, str]]:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session,
            session.request(
                request.method,
                yarl.URL(request.url, encoded=True),
                data=request.body or None,
                headers=headers,
                allow_redirects=False,
                ssl=self._trust.context(),
            ) as response,
        ):
            answer = await _bounded(response)
            if 200 <= response.status < 300:
                return answer, response.headers
            raise self._refusal(request, response.status, answer)

    def _refusal(self, request: Request, status: int, answer: bytes) -> Refused:
        code = excerpt(_text(answer, "Code") or str(status), _WORDS)
        detail = excerpt(_text(answer, "Message") or "", _WORDS)
        message = f"The store at {self._endpoint} refuses the request ({code}): {detail}"
        return Refused(message.rstrip(": ."), status, code)


class StoreServer:
    """The store's accounts, buckets and policies; every method may be repeated safely."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def accounts(self) -> dict[str, Account]:
        """Return all accounts by their access key IDs, the root account aside."""
        answer, _ = await self._caller.send("PATCH", "/list-users")
        found = (
            Account(entry.findtext("Access") or "", entry.findtext("Secret") or "")
            for entry in _parsed(answer).iter("Accounts")
        )
        return {account.access: account for account in found}

    async def make_account(self, account: Account) -> None:
        """Make an account that may only what policies allow it; one that exists is left alone."""
        fields = {"Access": account.access, "Secret": account.secret, "Role": "user"}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
        await self._quietly("PATCH", "/create-user", f"<Account>{inner}</Account>".encode())

    async def remove_account(self, access: str) -> None:
        """Take an account away."""
        await self._quietly("PATCH", "/delete-user", query={"access": access})

    async def has_bucket(self, bucket: str) -> bool:
        """Tell whether there is a bucket."""
        return await self._head(f"/{bucket}") is not None

    async def make_bucket(self, bucket: str, owner: str) -> None:
        """Make a bucket."""
        await self._quietly("PATCH", f"/{bucket}/create", headers={"x-vgw-owner": owner})

    async def set_policy(self, bucket: str, policy: Document | None) -> None:
        """Put a bucket's policy in place of the one before; None takes it away."""
        if policy is None:
            await self._quietly("DELETE", f"/{bucket}", query={"policy": ""})
        else:
            body = json.dumps(policy).encode()
            await self._caller.send("PUT", f"/{bucket}", body, {"policy": ""})

    async def keys(self, bucket: str, prefix: str, most: int | None = None) -> list[str]:
        """Return the keys beneath a prefix: all of them, or the first ``most``."""
        found: list[str] = []
        token = ""
        while True:
            query = {"list-type": "2", "prefix": prefix, "max-keys": str(most or 1000)}
            more = {"continuation-token": token} if token else {}
            answer, _ = await self._caller.send("GET", f"/{bucket}", query={**query, **more})
            page = _parsed(answer)
            found += [key.text or "" for key in page.iterfind("{*}Contents/{*}Key")]
            token = page.findtext("{*}NextContinuationToken") or ""
            if most is not None or not token:
                return found

    async def mark(self, bucket: str, key: str) -> None:
        """Put an empty object at a key."""
        await self._caller.send("PUT", f"/{bucket}/{key}")

    async def marked_at(self, bucket: str, key: str) -> datetime | None:
        """Return when an object was put at a key; None where there is none."""
        headers = await self._head(f"/{bucket}/{key}")
        if headers is None:
            return None
        return datetime.strptime(headers["Last-Modified"], "%a, %d %b %Y %H:%M:%S GMT").replace(
            tzinfo=UTC
        )

    async def _head(self, path: str) -> Mapping[str, str] | None:
        try:
            _, headers = await self._caller.send("HEAD", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        return headers

    async def _quietly(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a request that has been done already where the store says so."""
        try:
            await self._caller.send(method, path, body, query, headers)
        except Refused as error:
            if error.code not in _EXISTS | _NOTHING:
                raise


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 16):
        size += len(part)
        if size > _MOST_BYTES:
            raise ValueError(f"its answer is longer than {_MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _parsed(answer: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(answer)  # noqa: S314 - the release's own store, bounded
    except ElementTree.ParseError as error:
        raise CredentialError(f"The store's answer is no XML: {error}") from error


def _text(answer: bytes, name: str) -> str | None:
    try:
        return ElementTree.fromstring(answer).findtext(f".//{{*}}{name}")  # noqa: S314 - as above
    except ElementTree.ParseError:
        return None
