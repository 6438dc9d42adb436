"""The route file: which path of the users' listener goes where.

Envoy reads it anew when it changes. It is kept apart from the bootstrap so that
traffic can be moved without touching a pod. Field reference: envoy.config.route.v3 in Envoy's API
documentation.
"""

from collections.abc import Iterator
from typing import Any

from slipway.envoy.answers import answer, too_large
from slipway.envoy.clusters import TOKEN
from slipway.envoy.config import ROUTE_CONFIG, ProxyConfig, typed
from slipway.envoy.routes import pages
from slipway.envoy.routes.actions import PREDICTION, forward, own, replacing
from slipway.envoy.routes.doors import advice, passed_on, predictions
from slipway.envoy.routes.sharing import matched, matches, shared
from slipway.envoy.split import ALONE, Split

FORWARDED_STAT = "forwarded"
"""What was forwarded here, in Envoy's statistics: vhost.model.route.forwarded.upstream_rq_xx. The
Envoy that forwarded it counts the same answer at its own users' listener.
"""


def route_file(config: ProxyConfig, split: Split = ALONE) -> dict[str, Any]:
    """Return the document that Envoy's file subscription reads: one RouteConfiguration."""
    host = {
        "name": "model",
        "domains": ["*"],
        "routes": _routes(config, split),
        **(pages.policy(config, config.cors) if config.cors else {}),
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
    return [
        *(forwarded(config) if config.forward_token else ()),
        *pages.passed_by(config, too_large(config)),
        *pages.preflights(config),
        *(each for refusal in wrong_method(config) for each in pages.readable(config, refusal)),
        *(route for match in matches(split) for route in matched(config, split, match)),
        *shared(config, split),
        *pages.readable(config, answer("not-found", {"prefix": "/"}, 404, advice(config))),
    ]


def forwarded(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield the routes of what the other slot's Envoy sent here: it is answered here.

    So nothing is ever sent back and forth, whatever the two route files say. The other revision may
    call its model otherwise, so that any path of a prediction is the pod's own model; where the
    other one has paths that only it knows, a header tells that one is a prediction's. Only who
    knows the token is believed: a user's request is shared out like all others.
    """
    here = {"name": TOKEN, "string_match": {"exact": config.forward_token}}
    marked = {"name": PREDICTION, "string_match": {"exact": "true"}}
    yield _to_model(config, {"prefix": "/", "headers": [here, marked]}, "/.*")
    yield _to_model(config, {"safe_regex": {"regex": _PREDICTION}, "headers": [here]}, _PREDICTION)
    for door in passed_on(config):
        yield _from_other(config, {**door.match, "headers": [here]}, forward(config))


def _to_model(config: ProxyConfig, match: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a route on which a path becomes that of the pod's own model."""
    rewrite = {"pattern": {"regex": f"^{path}$"}, "substitution": config.upstream.predictions}
    return _from_other(config, match, {**forward(config), "regex_rewrite": rewrite})


def _from_other(
    config: ProxyConfig, match: dict[str, Any], action: dict[str, Any]
) -> dict[str, Any]:
    head = {"name": "forwarded", "stat_prefix": FORWARDED_STAT}
    return {**head, "match": match, "route": action, **own(config)}


_PREDICTION = "/predict(ions/[A-Za-z0-9_-]+)?"
"""The paths of predictions of a model of whatever name."""


def wrong_method(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield the routes that refuse what is no POST or PUT on the paths of predictions.

    A server with paths of its own knows itself which methods it takes.
    """
    takes = {"name": ":method", "string_match": {"safe_regex": {"regex": "POST|PUT"}}}
    for door in () if config.upstream.paths else predictions(config):
        match = {**door.match, "headers": [{**takes, "invert_match": True}]}
        text = "Post the input of the prediction here: no other method is served."
        refusal = answer(f"{door.name}-method", match, 405, text)
        yield {**refusal, "response_headers_to_add": [replacing("allow", "POST, PUT")]}
