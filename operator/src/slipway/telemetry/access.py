"""Who reads the operator's metrics: the holders of tokens that the API server says may.

As in controller-runtime's pkg/metrics/filters (WithAuthenticationAndAuthorization), a request
carries a bearer token (RFC 6750), and its holder needs the right to ``get`` the URL ``/metrics``.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from cachetools import TTLCache

_LOG = logging.getLogger(__name__)
MOST_REVIEWS = 2
"""How many unknown tokens the API server is asked about at a time; their senders queue up."""
_OPEN = frozenset({"/healthz", "/readyz"})
"""What kubelets ask for, without a token; any other path needs one."""
_BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]+=*)", re.ASCII)
"""The header Authorization with a token, as in RFC 6750, section 2.1."""
_MOST_TOKENS = 256
"""How many tokens are remembered that may read, and as many that may not."""
_FRESH_SECONDS = 60.0
"""How long a token that may read does so without another question."""
_OUTAGE_SECONDS = 600.0
"""How long it does so where the API server does not answer the next question."""
_REFUSED_SECONDS = 10.0
"""How long a token that may not read is refused without another question."""
_REVIEW_SECONDS = 5.0
"""How long a request waits for the API server's answer; Prometheus gives up after 10."""
_QUIET_SECONDS = 60.0
"""Least time between two lines of the log about an API server that does not answer."""


class Refusal(NamedTuple):
    """Why a request is turned away: an HTTP status, and a sentence for its sender."""

    status: int
    sentence: str


class ReviewFailedError(Exception):
    """The API server did not say what a token's holder may do; the text is the reason."""


Review = Callable[[str], Awaitable[Refusal | None]]
"""Asks why a token's holder may not read the metrics; None where they may.

Raises ``ReviewFailedError``.
"""
_NO_TOKEN = Refusal(
    401, "Send the header Authorization: Bearer TOKEN, of an account that may get /metrics."
)
_NO_ANSWER = Refusal(503, "The API server does not say whether you may get /metrics: ask again.")


class Access:
    """Judges requests by their tokens, and remembers for a while what the API server said.

    Tokens are kept as hashes. ``clock`` counts seconds.
    """

    def __init__(self, review: Review, clock: Callable[[], float] = time.monotonic) -> None:
        self._review = review
        self._clock = clock
        self._fresh_until: TTLCache[bytes, float] = TTLCache(_MOST_TOKENS, _OUTAGE_SECONDS, clock)
        self._refused: TTLCache[bytes, Refusal] = TTLCache(_MOST_TOKENS, _REFUSED_SECONDS, clock)
        self._reviews = asyncio.Semaphore(MOST_REVIEWS)
        self._renewals = asyncio.Semaphore(1)
        self._quiet_until = clock()

    async def refusal(self, authorization: str) -> Refusal | None:
        """Return why the sender of a header Authorization is turned away; None where they are not.

        Where the API server does not answer, only those pass who passed shortly before.
        """
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            return _NO_TOKEN
        key = hashlib.sha256(bearer[1].encode()).digest()
        if known := self._remembered(key):
            return known[0]
        # Who has read before does not wait behind any number of strangers.
        turn = self._renewals if key in self._fresh_until else self._reviews
        try:
            async with asyncio.timeout(_REVIEW_SECONDS), turn:
                if known := self._remembered(key):
                    return known[0]
                return self._noted(key, await self._review(bearer[1]))
        except (ReviewFailedError, TimeoutError) as error:
            self._tell(str(error) or "no answer in time")
            return None if key in self._fresh_until else _NO_ANSWER

    def _remembered(self, key: bytes) -> tuple[Refusal | None, ...]:
        """Return what was said of a token, as the only entry; none where it has to be asked."""
        if self._clock() < self._fresh_until.get(key, 0.0):
            return (None,)
        refusal = self._refused.get(key)
        return (refusal,) if refusal else ()

    def _noted(self, key: bytes, refusal: Refusal | None) -> Refusal | None:
        if refusal is None:
            self._fresh_until[key] = self._clock() + _FRESH_SECONDS
        else:
            self._fresh_until.pop(key, None)
            self._refused[key] = refusal
        return refusal

    def _tell(self, reason: str) -> None:
        if self._clock() < self._quiet_until:
            return
        self._quiet_until = self._clock() + _QUIET_SECONDS
        _LOG.warning("The API server does not say who may read the metrics: %s", reason)


def for_readers_only(access: Access) -> Middleware:
    """Return a middleware that turns away who may not read; the paths of probes stay open."""

    @web.middleware
    async def judge(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in _OPEN:
            return await handler(request)
        refusal = await access.refusal(request.headers.get("Authorization", ""))
        if refusal is None:
            return await handler(request)
        headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
        return web.Response(text=f"{refusal.sentence}\n", status=refusal.status, headers=headers)

    return judge
