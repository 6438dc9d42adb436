"""Answers as aiohttp hands them out, within bounds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp

from slipway.kube.answers.bounds import bounded, is_few, is_light, parsed
from slipway.kube.errors import KubeError

MOST_ANSWER_BYTES = 16 << 20
"""Longest answer that is taken in at once."""


class TooLongError(Exception):
    """An answer is longer, or has more values, than is taken in: ask for less at a time."""


async def read_whole(response: aiohttp.ClientResponse) -> bytes:
    """Return an answer's body; raises TooLongError."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MOST_ANSWER_BYTES:
            response.close()
            raise TooLongError(f"The answer has more than {MOST_ANSWER_BYTES} bytes.")
        pieces.append(piece)
    return b"".join(pieces)


def as_object(found: Any) -> dict[str, Any]:
    """Return an answer that is a JSON object; raises ValueError for any other."""
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def metadata_of(obj: dict[str, Any]) -> dict[str, Any]:
    """Return an object's or a list's metadata; empty where it has none, or something else there."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def is_named(obj: dict[str, Any]) -> bool:
    """Tell whether an object says what it is: its kind, its namespace and its name, as texts."""
    meta = metadata_of(obj)
    told = (obj.get("apiVersion"), obj.get("kind"), meta.get("namespace"), meta.get("name"))
    return all(isinstance(each, str) and each for each in told)


def check_page(body: bytes, limit: int) -> None:
    """Raise TooLongError for a page of up to ``limit`` objects, where it has very many values.

    Of what users write 16 MiB of text may be 400 MiB in Python. One object is read in any case.
    """
    if limit > 1 and not is_light(body):
        raise TooLongError(f"The page of {limit} objects has more values than are taken in.")


def fewer(size: int) -> int:
    """Return how many objects to ask for where so many were too long; raises a KubeError."""
    if size == 1:
        raise KubeError("The API server answers with more than is taken in of one object.")
    return max(1, size // 8)


async def paged(ask: Callable[[dict[str, str]], Awaitable[Any]], size: int) -> AsyncIterator[Any]:
    """Yield a collection page by page, of ``size`` objects at most; fewer where they are large.

    ``ask`` returns the page for what is added to its request, or raises TooLongError. After large
    objects there are more at a time again.
    """
    most, token = size, ""
    while True:
        more = {"continue": token} if token else {}
        try:
            page = await ask({"limit": str(size), **more})
        except TooLongError:
            size = fewer(size)
            continue
        yield page
        size = min(most, 2 * size)
        token = metadata_of(page).get("continue") or ""
        if not token:
            return


class BoundedResponse(aiohttp.ClientResponse):
    """An answer whose JSON, and whose events, can be read by whoever asks for it: by kopf."""

    async def start(self, connection: Any) -> "BoundedResponse":
        """Take in the head of the answer."""
        await super().start(connection)
        self.content: Any = _Lines(self.content)
        return self

    async def read(self) -> bytes:
        """Return the answer's body; raises TooLongError."""
        if self._body is None:
            self._body = await read_whole(self)
        return self._body

    async def json(self, **options: Any) -> Any:
        """Return the answer's JSON, without what is too large of the objects in it."""
        body = await self.read()
        return await super().json(**options) if is_few(body) else await parsed(body)


class _Lines:
    """A stream of an answer, of which each line that is read in chunks is within bounds."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.iter_chunked(0)

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield whole lines, as they come."""
        rest = b""
        async for chunk in self._stream.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield await bounded(line) + b"\n"
        if rest:
            yield await bounded(rest)
