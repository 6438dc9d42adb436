"""Web pages of other origins: which may ask the model, and read what is answered (CORS)."""

import re
from collections.abc import Iterator
from typing import Any

from slipway.envoy.config import Cors, ProxyConfig, typed
from slipway.envoy.routes.actions import REVISION_HEADER, forward, own, replacing
from slipway.envoy.routes.doors import PREDICT


def policy(config: ProxyConfig, cors: Cors) -> dict[str, Any]:
    """Return which web pages may ask, for the filter of that name."""
    policy = typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[_origin(one) for one in cors.origins],
        allow_methods=_ALL_METHODS if config.upstream.paths else "POST, PUT",
        allow_headers=", ".join(cors.headers),
        expose_headers=REVISION_HEADER,
        max_age=str(cors.max_age_seconds),
        allow_credentials=cors.credentials,
    )
    return {"typed_per_filter_config": {"envoy.filters.http.cors": policy}}


_ALL_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"


def preflights(config: ProxyConfig) -> Iterator[dict[str, Any]]:
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
        match = {"prefix": "/" if config.upstream.paths else PREDICT, "headers": headers}
        yield {"name": "preflight", "match": match, "route": forward(config), **own(config)}


def _origin(origin: str) -> dict[str, Any]:
    return {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin}


def readable(config: ProxyConfig, route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the route of an answer of Envoy's own, and before it the one for pages that may ask.

    The filter has no policy for a route that leads to no cluster.
    """
    if config.cors is not None:
        told = {
            "access-control-allow-origin": "%REQ(origin)%",
            "access-control-expose-headers": REVISION_HEADER,
            **({"access-control-allow-credentials": "true"} if config.cors.credentials else {}),
        }
        added = [replacing(name, value) for name, value in told.items()]
        both = [*route.get("response_headers_to_add", ()), *added]
        yield {**route, **_of_a_page(config.cors, route), "response_headers_to_add": both}
    yield route


def passed_by(config: ProxyConfig, route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a route, and before it the one by which requests of pages that may ask pass it by.

    It is for what a filter answers before the route does, by the policy that it finds with one that
    leads to a cluster.
    """
    if config.cors is not None:
        yield {**_of_a_page(config.cors, route), "route": forward(config), **own(config)}
    yield route


def _of_a_page(cors: Cors, route: dict[str, Any]) -> dict[str, Any]:
    """Return name and match of a route for the requests of pages that may ask."""
    pattern = ".*" if "*" in cors.origins else "|".join(map(re.escape, cors.origins))
    known = {"name": "origin", "string_match": {"safe_regex": {"regex": pattern}}}
    match = {**route["match"], "headers": [*route["match"].get("headers", ()), known]}
    return {"name": f"{route['name']}-page", "match": match}
