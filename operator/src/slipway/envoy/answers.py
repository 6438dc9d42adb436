"""What Envoy answers itself: routes of its own, and the words of its refusals."""

from typing import Any

from slipway.envoy.bodies import METADATA, REFUSAL, size_refusal
from slipway.envoy.config import ProxyConfig

MAX_HEADERS = 100
MAX_HEADERS_KIB = 7
"""Most headers of a request, and how long they and the path may be together, in KiB.

Netty and aiohttp take 8 KiB of headers, Envoy's own few lines among them, and know no way to say
that there were more (io.netty.handler.codec.http.HttpServerCodec; aiohttp.http_parser).
"""

QUEUE_FULL = (
    "Too many requests wait for the model in this pod: try again later. More replicas or workers "
    "answer more at a time."
)

_MAX_INT64 = 2**63 - 1


def too_large(config: ProxyConfig) -> dict[str, Any]:
    """Return the route that refuses a body that the server would refuse after reading all of it.

    Pods that a release before 0.3 made have no `slipway.envoy.bodies`, and read this file.
    """
    above = {"start": config.max_request_bytes + 1, "end": _MAX_INT64}
    match = {"prefix": "/", "headers": [{"name": "content-length", "range_match": above}]}
    return answer("too-large", match, 413, size_refusal(config.max_request_bytes))


def answer(name: str, match: dict[str, Any], status: int, message: str) -> dict[str, Any]:
    """Return a route that Envoy answers itself; ``message`` is one plain sentence."""
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": message}},
    }


def json_errors() -> dict[str, Any]:
    """Return how Envoy words its own answers: JSON shaped like the server's errors.

    What it refuses before there is a route comes without a word, and gets one here; the filters of
    bodies have words of their own.
    """
    mappers = [_full(), *(_worded(code, text) for code, text in _REFUSALS.items())]
    return {"body_format": _error("%LOCAL_REPLY_BODY%"), "mappers": mappers}


def _error(message: str) -> dict[str, Any]:
    body = {"code": "%RESPONSE_CODE%", "type": "Slipway", "message": message}
    return {"json_format": body}


def _full() -> dict[str, Any]:
    """Return what is said where no more requests may wait for the model (flag UO)."""
    return {
        "filter": {"response_flag_filter": {"flags": ["UO"]}},
        "headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}],
        "body_format_override": _error(QUEUE_FULL),
    }


def _worded(code: int, text: str) -> dict[str, Any]:
    value = {"default_value": code, "runtime_key": f"slipway.refusal.{code}"}
    path = [{"key": REFUSAL}, {"key": "status"}]
    no_status = {"filter": METADATA, "path": path, "value": {"string_match": {"exact": ""}}}
    filters = [
        {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}},
        {"metadata_filter": {"matcher": no_status, "match_if_key_not_found": True}},
    ]
    return {
        "filter": {"and_filter": {"filters": filters}},
        "body_format_override": _error(text),
    }


_REFUSALS = {
    400: "The request is no valid HTTP, or has a path or a header that is not taken "
    "(%RESPONSE_CODE_DETAILS%). Header names have no underscores, paths no escaped slashes.",
    408: "The request did not come in time (%RESPONSE_CODE_DETAILS%).",
    431: f"The request's path and headers are longer than {MAX_HEADERS_KIB} KiB, or more than "
    f"{MAX_HEADERS}: send less in them.",
}
"""What Envoy says of requests that it refuses itself, by the code of its answer."""
