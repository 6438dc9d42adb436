"""Routes that Envoy answers itself."""

from typing import Any

from slipway.envoy.bodies import size_refusal
from slipway.envoy.config import ProxyConfig

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
