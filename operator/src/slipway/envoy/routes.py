"""The route file: which path of the users' listener goes where.

Envoy reads it anew when it changes. It is kept apart from the bootstrap so that
traffic can be moved without touching a pod.
"""

import json
from typing import Any

from slipway.envoy.clusters import INFERENCE
from slipway.envoy.config import MAX_REQUEST_BYTES, ROUTE_CONFIG, ProxyConfig, seconds, typed

_MAX_INT64 = 2**63 - 1


def route_file(config: ProxyConfig) -> dict[str, Any]:
    """Return the document that Envoy's file subscription reads: one RouteConfiguration."""
    return {
        "resources": [
            typed(
                "envoy.config.route.v3.RouteConfiguration",
                name=ROUTE_CONFIG,
                virtual_hosts=[{"name": "model", "domains": ["*"], "routes": _routes(config)}],
            )
        ]
    }


def _routes(config: ProxyConfig) -> list[dict[str, Any]]:
    """Return the users' routes, first match first."""
    own = f"/predictions/{config.model}"
    return [
        too_large(),
        {
            "name": "predict",
            "match": {"path": "/predict"},
            "route": {**forward(config), "prefix_rewrite": own},
        },
        {"name": "predictions", "match": {"path": own}, "route": forward(config)},
        answer(
            "not-found", {"prefix": "/"}, 404, f"Post to /predict or {own}: nothing else is served."
        ),
    ]


def forward(config: ProxyConfig) -> dict[str, Any]:
    """Return the action that hands a request to the pod's own TorchServe.

    A request is tried again only where TorchServe cannot have seen it: predictions need not be
    idempotent.
    """
    return {
        "cluster": INFERENCE,
        "timeout": seconds(config.route_timeout),
        "retry_policy": {
            "retry_on": "connect-failure,reset-before-request",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        },
    }


def too_large() -> dict[str, Any]:
    """Return the route that refuses a body that TorchServe would refuse after reading all of it."""
    above = {"start": MAX_REQUEST_BYTES + 1, "end": _MAX_INT64}
    match = {"prefix": "/", "headers": [{"name": "content-length", "range_match": above}]}
    text = f"The request body is longer than {MAX_REQUEST_BYTES} bytes: send less at a time."
    return answer("too-large", match, 413, text)


def answer(name: str, match: dict[str, Any], status: int, message: str) -> dict[str, Any]:
    """Return a route that Envoy answers itself; ``message`` is one plain sentence."""
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": message}},
    }


def json_answer(name: str, path: str, status: int, body: dict[str, Any]) -> dict[str, Any]:
    """Return a route for exactly one path with a fixed JSON body."""
    return answer(name, {"path": path}, status, json.dumps(body))
