"""The ID of a request, by which it is found in logs: `x-request-id`, as Envoy and TorchServe say.

TorchServe gives each answer a new UUID, which is `context.get_request_id()` too. So does this
server; but where the request has an ID of its own, as behind Envoy, the answer and the log have
that one. A client may write any: a handler's requests keep IDs that differ.
"""

import re
import uuid

from aiohttp import web

HEADER = "x-request-id"
_GIVEN = re.compile(r"[A-Za-z0-9._~:=+/-]{1,128}")
"""What is taken over of a client's: UUIDs and other IDs of one word, nothing that a log or a header
could read otherwise."""
_KEPT = "slipway_server.request_id"
"""Where a request keeps its own ID."""


def own_id(request: web.Request) -> str:
    """Return an ID that no other request has, always the same."""
    known: str | None = request.get(_KEPT)
    if known is None:
        request[_KEPT] = known = str(uuid.uuid4())
    return known


def id_of(request: web.Request) -> str:
    """Return the ID that the request came with where it is one word, or else its own one."""
    given = request.headers.get(HEADER, "")
    return given if _GIVEN.fullmatch(given) else own_id(request)


async def with_id(request: web.Request, response: web.StreamResponse) -> None:
    """Send the request's ID with its answer, whatever a handler has set, as TorchServe does."""
    response.headers[HEADER] = id_of(request)
