"""How the users' requests are shared out: to the pod's own server and the other slot's Envoy."""

import re
from collections.abc import Iterator
from typing import Any

from slipway.envoy.clusters import INFERENCE, OTHER
from slipway.envoy.config import ProxyConfig
from slipway.envoy.routes.actions import action, addressed, own
from slipway.envoy.routes.doors import Door, doors
from slipway.envoy.split import Condition, Match, Split, Sticky

_REQUEST_ID = "x-request-id"


def matches(split: Split) -> tuple[Match, ...]:
    """Return by what a request is sent to the other slot whatever its share is."""
    return () if split.target is None or split.mirror else split.matches


def matched(config: ProxyConfig, split: Split, match: Match) -> Iterator[dict[str, Any]]:
    """Yield the routes of requests that all go to the other slot."""
    headers = [_condition(one) for one in match]
    for door in doors(config):
        yield {
            "name": f"{door.name}-matched",
            "match": {**door.match, "headers": headers},
            "route": {**action(config), "cluster": OTHER},
            **addressed(config, split, door),
        }


def shared(config: ProxyConfig, split: Split) -> Iterator[dict[str, Any]]:
    """Yield the routes of all other requests: answered here, mirrored, or shared out by weight."""
    for door in doors(config):
        share = _share(config, split, door)
        by_weight = "weighted_clusters" in share
        route = {**action(config), **share, **_rewrite(config, door)}
        if by_weight and split.sticky is not None and split.sticky.cookie:
            yield from _sticky(door, route, split.sticky)
        else:
            extra = {} if by_weight else own(config)
            yield {"name": door.name, "match": door.match, "route": route, **extra}


def _share(config: ProxyConfig, split: Split, door: Door) -> dict[str, Any]:
    if split.target is None or not split.weight:
        return {"cluster": INFERENCE}
    return (_mirrored if split.mirror else _weighted)(config, split, door)


def _rewrite(config: ProxyConfig, door: Door) -> dict[str, Any]:
    return {"prefix_rewrite": config.upstream.predictions} if door.is_prediction else {}


def _sticky(door: Door, route: dict[str, Any], sticky: Sticky) -> Iterator[dict[str, Any]]:
    """Yield the route of users who have the cookie, and that of newcomers, who get it."""
    known = {**door.match, "headers": [_condition(Condition(sticky.cookie or "", cookie=True))]}
    yield {"name": f"{door.name}-known", "match": known, "route": route}
    yield {
        "name": door.name,
        "match": door.match,
        "route": route,
        "response_headers_to_add": [_set_cookie(sticky)],
    }


def _mirrored(config: ProxyConfig, split: Split, door: Door) -> dict[str, Any]:
    share = {"default_value": {"numerator": split.weight, "denominator": "HUNDRED"}}
    added = addressed(config, split, door)["request_headers_to_add"]
    policy = {
        "cluster": OTHER,
        "runtime_fraction": share,
        "request_headers_mutations": [{"append": header} for header in added],
    }
    return {"cluster": INFERENCE, "request_mirror_policies": [policy]}


def _weighted(config: ProxyConfig, split: Split, door: Door) -> dict[str, Any]:
    """Return the share by weight; the other slot comes first, so that its users stay its own.

    A user's hash points to a place from 0 to 99, and the other slot has those below the weight.
    """
    weights: list[dict[str, Any]] = [
        {"name": OTHER, "weight": split.weight, **addressed(config, split, door)},
        {"name": INFERENCE, "weight": 100 - split.weight, **own(config)},
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


def _set_cookie(sticky: Sticky) -> dict[str, Any]:
    value = f"%REQ({_REQUEST_ID})%; Path=/; Max-Age={sticky.seconds}; HttpOnly; SameSite=Lax"
    header = {"key": "set-cookie", "value": f"{sticky.cookie}={value}"}
    return {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


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
