"""The route file: which path of the users' listener goes where.

Envoy reads it anew when it changes. It is kept apart from the bootstrap so that
traffic can be moved without touching a pod. Field reference: envoy.config.route.v3 in Envoy's API
documentation.
"""

import re
from collections.abc import Iterator
from typing import Any

from slipway.envoy.answers import answer, too_large
from slipway.envoy.clusters import FORWARDED, INFERENCE, OTHER, TOKEN
from slipway.envoy.config import ROUTE_CONFIG, Cors, ProxyConfig, seconds, typed
from slipway.envoy.split import ALONE, Condition, Match, Split, Sticky

FORWARDED_STAT = "forwarded"
"""What was forwarded here, in Envoy's statistics: vhost.model.route.forwarded.upstream_rq_xx. The
Envoy that forwarded it counts the same answer at its own users' listener.
"""
REVISION_HEADER = "x-slipway-revision"
"""Header of an answer that names the revision that gave it."""


def route_file(config: ProxyConfig, split: Split = ALONE) -> dict[str, Any]:
    """Return the document that Envoy's file subscription reads: one RouteConfiguration."""
    host = {
        "name": "model",
        "domains": ["*"],
        "routes": _routes(config, split),
        **(_cors(config.cors) if config.cors else {}),
    }
    return {
        "resources": [
            typed(
                "envoy.config.route.v3.RouteConfiguration",
                name=ROUTE_CONFIG,
                virtual_hosts=[host],
            )
        ]
    }


def _routes(config: ProxyConfig, split: Split) -> list[dict[str, Any]]:
    """Return the users' routes, first match first."""
    own = own_path(config)
    return [
        *([forwarded(config)] if config.forward_token else []),
        too_large(config),
        *_preflights(config),
        *wrong_method(config),
        *(route for match in _matches(split) for route in _matched(config, split, match)),
        *_shared(config, split),
        answer(
            "not-found", {"prefix": "/"}, 404, f"Post to /predict or {own}: nothing else is served."
        ),
    ]


def own_path(config: ProxyConfig) -> str:
    """Return the path by which users may name the model, besides /predict."""
    return f"/predictions/{config.model}"


def forwarded(config: ProxyConfig) -> dict[str, Any]:
    """Return the route of what the other slot's Envoy sent here: it is answered here.

    So nothing is ever sent back and forth, whatever the two route files say. The other revision may
    call its model otherwise, so that any path of a prediction is the pod's own model. Only who
    knows the token is believed: a user's request is shared out like all others.
    """
    rewrite = {
        "pattern": {"regex": f"^{_PREDICTION}$"},
        "substitution": config.upstream.predictions,
    }
    here = {"name": TOKEN, "string_match": {"exact": config.forward_token}}
    return {
        "name": "forwarded",
        "stat_prefix": FORWARDED_STAT,
        "match": {"safe_regex": {"regex": _PREDICTION}, "headers": [here]},
        "route": {**forward(config), "regex_rewrite": rewrite},
        **_own(config),
    }


_PREDICTION = "/predict(ions/[A-Za-z0-9_-]+)?"
"""The paths of predictions of a model of whatever name."""


def wrong_method(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield the routes that refuse what is no POST or PUT on the paths of predictions."""
    takes = {"name": ":method", "string_match": {"safe_regex": {"regex": "POST|PUT"}}}
    for name, path in _paths(config):
        match = {"path": path, "headers": [{**takes, "invert_match": True}]}
        text = "Post the input of the prediction here: no other method is served."
        refusal = answer(f"{name}-method", match, 405, text)
        yield {**refusal, "response_headers_to_add": [_replacing("allow", "POST, PUT")]}


def _cors(cors: Cors) -> dict[str, Any]:
    """Return which web pages may ask, for the filter of that name."""
    policy = typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[_origin(one) for one in cors.origins],
        allow_methods="POST, PUT",
        allow_headers=", ".join(cors.headers),
        expose_headers=REVISION_HEADER,
        max_age=str(cors.max_age_seconds),
        allow_credentials=cors.credentials,
    )
    return {"typed_per_filter_config": {"envoy.filters.http.cors": policy}}


def _preflights(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield the routes of what browsers ask before they send a page's request.

    The filter answers them all, but only where a route leads to a cluster.
    """
    for origin in config.cors.origins if config.cors else ():
        known = {"present_match": True} if origin == "*" else {"string_match": {"exact": origin}}
        headers = [
            {"name": ":method", "string_match": {"exact": "OPTIONS"}},
            {"name": "access-control-request-method", "present_match": True},
            {"name": "origin", **known},
        ]
        match = {"prefix": "/predict", "headers": headers}
        yield {"name": "preflight", "match": match, "route": forward(config), **_own(config)}


def _origin(origin: str) -> dict[str, Any]:
    return {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin}


def _replacing(name: str, value: str) -> dict[str, Any]:
    """Return a header that takes the place of one of its name."""
    header = {"key": name, "value": value}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _own(config: ProxyConfig) -> dict[str, Any]:
    """Return what goes with requests to the pod's own server.

    Its answers are marked with the revision; what Envoys tell each other is not the model's to see.
    """
    found: dict[str, Any] = {"request_headers_to_remove": [FORWARDED, TOKEN]}
    if config.revision:
        found["response_headers_to_add"] = [_replacing(REVISION_HEADER, config.revision)]
    return found


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
            **_address(config, split),
        }


def _shared(config: ProxyConfig, split: Split) -> Iterator[dict[str, Any]]:
    """Yield the routes of all other requests: answered here, mirrored, or shared out by weight."""
    share: dict[str, Any] = {"cluster": INFERENCE}
    if split.target is not None and split.weight:
        share = _mirrored(config, split) if split.mirror else _weighted(config, split)
    extra = {} if "weighted_clusters" in share else _own(config)
    newcomers = None if split.mirror or "weighted_clusters" not in share else split.sticky
    for name, path in _paths(config):
        action = {**_action(config), **share, "prefix_rewrite": config.upstream.predictions}
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


def _mirrored(config: ProxyConfig, split: Split) -> dict[str, Any]:
    share = {"default_value": {"numerator": split.weight, "denominator": "HUNDRED"}}
    added = _address(config, split)["request_headers_to_add"]
    policy = {
        "cluster": OTHER,
        "runtime_fraction": share,
        "request_headers_mutations": [{"append": header} for header in added],
    }
    return {"cluster": INFERENCE, "request_mirror_policies": [policy]}


def _weighted(config: ProxyConfig, split: Split) -> dict[str, Any]:
    """Return the share by weight; the other slot comes first, so that its users stay its own.

    A user's hash points to a place from 0 to 99, and the other slot has those below the weight.
    """
    weights: list[dict[str, Any]] = [
        {"name": OTHER, "weight": split.weight, **_address(config, split)},
        {"name": INFERENCE, "weight": 100 - split.weight, **_own(config)},
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


def _address(config: ProxyConfig, split: Split) -> dict[str, Any]:
    """Return the headers that tell Envoy's cluster where the other slot is, and the Envoy there.

    They replace what a user may have sent by those names.
    """
    added = [_replacing(FORWARDED, split.target or "")]
    if config.forward_token:
        added.append(_replacing(TOKEN, config.forward_token))
    return {"request_headers_to_add": added}


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
    """Return the action that hands a request to the pod's own server."""
    return {**_action(config), "cluster": INFERENCE}


def _action(config: ProxyConfig) -> dict[str, Any]:
    """Return what holds wherever a request goes.

    A request is tried again only where the server cannot have seen it: predictions need not be
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
