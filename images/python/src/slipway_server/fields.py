"""The inputs of a request: the fields of a form, or its body."""

from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web

from slipway_server.errors import Refusal

_MOST_FIELDS = 256
"""Most fields of a form."""

FieldOfRequest = tuple[str, str, dict[str, str], bytes]
"""Name, content type, headers by their names in lower case, and value."""


async def fields(request: web.Request, most: int) -> AsyncIterator[FieldOfRequest]:
    """Yield the inputs of a request, at most ``most`` bytes of them; raises ``Refusal``."""
    try:
        if request.content_type == "multipart/form-data":
            async for field in _parts(request, most):
                yield field
        elif request.content_type == "application/x-www-form-urlencoded":
            for name, value in (await request.post()).items():
                yield name, "text/plain", {}, str(value).encode()
        else:
            yield "body", request.headers.get("content-type", ""), {}, await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(most) from None
    except ValueError as problem:
        raise Refusal(400, "BadRequestException", f"The body cannot be read: {problem}") from None


async def _parts(request: web.Request, most: int) -> AsyncIterator[FieldOfRequest]:
    left, number = most, 0
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        number += 1
        if number > _MOST_FIELDS:
            raise Refusal(413, "RequestEntityTooLargeException", "The form has too many fields.")
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "BadRequestException", "A form within a form is not read.")
        value = await _value(part, left, most)
        left -= len(value)
        headers = {name.lower(): text for name, text in part.headers.items()}
        yield part.name or "body", headers.get("content-type", "text/plain"), headers, value


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
