"""The inputs of a request: the fields of a form, or its body."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import unquote_to_bytes

from aiohttp import BodyPartReader, http_exceptions, web

from slipway_server.errors import Refusal

_MOST_FIELDS = 256
"""Most fields of a form."""
_MOST_TEXT = 400
"""How many characters are told of what is wrong with a body."""

FieldOfRequest = tuple[str, str, dict[str, str], bytes]
"""Name, content type, headers by their names in lower case, and value."""


async def fields(request: web.Request, most: int) -> AsyncIterator[FieldOfRequest]:
    """Yield the inputs of a request, at most ``most`` bytes of them; raises ``Refusal``."""
    try:
        if request.content_type == "multipart/form-data":
            async for field in _parts(request, most):
                yield field
        elif request.content_type == "application/x-www-form-urlencoded":
            for name, value in _pairs(await request.read()):
                yield name, "", {}, value
        else:
            yield "body", request.headers.get("content-type", ""), {}, await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None
    except (ValueError, http_exceptions.HttpProcessingError) as problem:
        text = f"The body cannot be read: {problem}"[:_MOST_TEXT]
        raise Refusal(400, "BadRequestException", text) from None


def _pairs(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the fields of a URL-encoded form; what has no value is left out, as TorchServe does."""
    pieces = body.split(b"&", _MOST_FIELDS)
    if len(pieces) > _MOST_FIELDS:
        raise _too_many()
    for piece in pieces:
        name, is_pair, value = piece.replace(b"+", b" ").partition(b"=")
        if is_pair:
            yield unquote_to_bytes(name).decode(errors="replace"), unquote_to_bytes(value)


def _too_many() -> Refusal:
    return Refusal(413, "RequestEntityTooLargeException", "The form has too many fields.")


async def _parts(request: web.Request, most: int) -> AsyncIterator[FieldOfRequest]:
    left, number = most, 0
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        number += 1
        if number > _MOST_FIELDS:
            raise _too_many()
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "BadRequestException", "A form within a form is not read.")
        value = await _value(part, left, most)
        left -= len(value)
        headers = {name.lower(): text for name, text in part.headers.items()}
        yield part.name or "body", headers.get("content-type", ""), headers, value


async def _value(part: BodyPartReader, left: int, most: int) -> bytes:
    value = bytearray()
    while chunk := await part.read_chunk():
        value += chunk
        if len(value) > left:
            raise _too_large(most)
    return bytes(value)


def _too_large(most: int) -> Refusal:
    return Refusal(
        413, "RequestEntityTooLargeException", f"The request is longer than {most} bytes."
    )
