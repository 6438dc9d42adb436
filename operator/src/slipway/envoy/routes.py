"""The route file: which path of the users' listener goes where.

Envoy reads it anew when it changes. It is kept apart from the bootstrap so that
traffic can be moved without touching a pod. Field reference: envoy.config.route.v3 in Envoy's API
documentation.
"""

import re
from collections.abc import Iterator
from typing import Any

from slipway.envoy.clusters import FORWARDED, INFERENCE, OTHER
from slipway.envoy.config import MAX_REQUEST_BYTES, ROUTE_CONFIG, ProxyConfig, seconds, typed
from slipway.envoy.split import ALONE, Condition, Match, Split, Sticky

FORWARDED_STAT = "forwarded"
"""What was forwarded here, in Envoy's statistics: vhost.model.route.forwarded.upstream_rq_xx. The
Envoy that forwarded it counts the same answer at its own users' listener.
"""
_MAX_INT64 = 2**63 - 1


def route_file(config: ProxyConfig, split: Split = ALONE) -> dict[str, Any]:
    """Return the document that Envoy's file subscription reads: one RouteConfiguration."""
    routes = _routes(config, split)
    return {
        "resources": [
            typed(
                "envoy.config.route.v3.RouteConfiguration",
                name=ROUTE_CONFIG,
                virtual_hosts=[{"name": "model", "domains": ["*"], "routes": routes}],
            )
        ]
    }


def _routes(config: ProxyConfig, split: Split) -> list[dict[str, Any]]:
    """Return the users' routes, first match first."""
    own = own_path(config)
    return [
        too_large(),
        forwarded(config),
        *(route for match in _matches(split) for route in _matched(config, split, match)),
        *_shared(config, split),
        answer(
            "not-found", {"prefix": "/"}, 404, f"Post to /predict or {own}: nothing else is served."
        ),
    ]


def own_path(config: ProxyConfig) -> str:
    """Return the path by which TorchServe knows the model."""
    return f"/predictions/{config.model}"


def forwarded(config: ProxyConfig) -> dict[str, Any]:
    """Return the route of what the other slot's Envoy sent here: it is answered here.

    So nothing is ever sent back and forth, whatever the two route files say. The other revision may
    call its model otherwise, so that any path of a prediction is the pod's own model.
    """
    rewrite = {"pattern": {"regex": "^/predict.*$"}, "substitution": own_path(config)}
    here = {"name": FORWARDED, "present_match": True}
    return {
        "name": "forwarded",
        "stat_prefix": FORWARDED_STAT,
        "match": {"prefix": "/predict", "headers": [here]},
        "route": {**forward(config), "regex_rewrite": rewrite},
    }


def _matches(split: Split) -> tuple[Match, ...]:
    return () if split.target is None or split.mirror else split.matches


def _matched(config: ProxyConfig, split: Split, match: Match) -> Iterator[dict[str, Any]]:
    """Yield the routes of requests that all go to the other slot."""
    headers = [_condition(one) for one in match]
    for name, path in _paths(config):
        yield {
            "name": f"{name}-matched",
            "match": {"path": path, "headers": headers},
            "route": {**_action(config), "cluster": OTHER},
            **_address(split),
        }


def _shared(config: ProxyConfig, split: Split) -> Iterator[dict[str, Any]]:
    """Yield the routes of all other requests: answered here, mirrored, or shared out by weight."""
    share: dict[str, Any] = {"cluster": INFERENCE}
    extra: dict[str, Any] = {}
    if split.target is not None and split.weight:
        share = _mirrored(split) if split.mirror else _weighted(split)
        extra = _address(split) if split.mirror else {}
    newcomers = None if split.mirror or "weighted_clusters" not in share else split.sticky
    for name, path in _paths(config):
        action = {**_action(config), **share, "prefix_rewrite": own_path(config)}
        if newcomers is not None and newcomers.cookie:
            known = {
                "path": path,
                "headers": [_condition(Condition(newcomers.cookie, cookie=True))],
            }
            yield {"name": f"{name}-known", "match": known, "route": action}
            yield {
                "name": name,
                "match": {"path": path},
                "route": action,
                "response_headers_to_add": [_set_cookie(newcomers)],
            }
        else:
            yield {"name": name, "match": {"path": path}, "route": action, **extra}


def _paths(config: ProxyConfig) -> tuple[tuple[str, str], ...]:
    """Return the users' paths with the names of their routes."""
    return ("predict", "/predict"), ("predictions", own_path(config))


def _mirrored(split: Split) -> dict[str, Any]:
    share = {"default_value": {"numerator": split.weight, "denominator": "HUNDRED"}}
    policy = {"cluster": OTHER, "runtime_fraction": share}
    return {"cluster": INFERENCE, "request_mirror_policies": [policy]}


def _weighted(split: Split) -> dict[str, Any]:
    """Return the share by weight; the other slot comes first, so that its users stay its own.

    A user's hash points to a place from 0 to 99, and the other slot has those below the weight.
    """
    weights: list[dict[str, Any]] = [
        {"name": OTHER, "weight": split.weight, **_address(split)},
        {"name": INFERENCE, "weight": 100 - split.weight},
    ]
    clusters: dict[str, Any] = {"clusters": weights}
    if split.sticky is None:
        return {"weighted_clusters": clusters}
    known = {"weighted_clusters": {**clusters, "use_hash_policy": True}}
    return {**known, "hash_policy": _hash_policy(split.sticky)}


def _hash_policy(sticky: Sticky) -> list[dict[str, Any]]:
    """Return by what a user is known; a newcomer's request ID becomes the value of the cookie."""
    if sticky.header:
        return [{"header": {"header_name": sticky.header}}]
    newcomer = {"header": {"header_name": _REQUEST_ID}}
    return [{"cookie": {"name": sticky.cookie}, "terminal": True}, newcomer]


_REQUEST_ID = "x-request-id"


def _set_cookie(sticky: Sticky) -> dict[str, Any]:
    value = f"%REQ({_REQUEST_ID})%; Path=/; Max-Age={sticky.seconds}; HttpOnly; SameSite=Lax"
    header = {"key": "set-cookie", "value": f"{sticky.cookie}={value}"}
    return {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def _address(split: Split) -> dict[str, Any]:
    """Return the header that tells Envoy's cluster where the other slot is.

    It replaces what a user may have sent by that name, and tells the other slot's Envoy that the
    request was forwarded.
    """
    header = {"key": FORWARDED, "value": split.target}
    action = "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"request_headers_to_add": [{"header": header, "append_action": action}]}


def _condition(condition: Condition) -> dict[str, Any]:
    """Return a header matcher; a cookie is looked for in the one header that holds them all."""
    if condition.cookie:
        pattern = f"(.*; *)?{re.escape(condition.name)}={_value_pattern(condition)}(;.*)?"
        return {"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}
    if condition.exact is not None:
        return {"name": condition.name, "string_match": {"exact": condition.exact}}
    if condition.prefix is not None:
        return {"name": condition.name, "string_match": {"prefix": condition.prefix}}
    if condition.regex is not None:
        expression = {"regex": condition.regex}
        return {"name": condition.name, "string_match": {"safe_regex": expression}}
    return {"name": condition.name, "present_match": True}


def _value_pattern(condition: Condition) -> str:
    """Return a regular expression for a cookie's value."""
    if condition.exact is not None:
        return re.escape(condition.exact)
    if condition.prefix is not None:
        return f"{re.escape(condition.prefix)}[^;]*"
    return f"(?:{condition.regex})" if condition.regex is not None else "[^;]+"


def forward(config: ProxyConfig) -> dict[str, Any]:
    """Return the action that hands a request to the pod's own TorchServe."""
    return {**_action(config), "cluster": INFERENCE}


def _action(config: ProxyConfig) -> dict[str, Any]:
    """Return what holds wherever a request goes.

    A request is tried again only where TorchServe cannot have seen it: predictions need not be
    idempotent.
    """
    return {
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
