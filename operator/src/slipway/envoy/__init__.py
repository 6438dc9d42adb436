"""Everything that knows Envoy: the bootstrap and the route file of a server pod. Pure."""

from slipway.envoy.bootstrap import GRPC_CODE, bootstrap
from slipway.envoy.clusters import FORWARDED, INFERENCE, OTHER
from slipway.envoy.config import (
    ROUTE_CONFIG,
    Cors,
    ProxyConfig,
    Upstream,
    to_text,
)
from slipway.envoy.listeners import (
    DEATHS_PATH,
    DRAIN_HEADER,
    DRAIN_PATH,
    HOOKS_LIVE_PATH,
    SERVER_LIVE_PATH,
    SERVER_METRICS_PATH,
)
from slipway.envoy.routes import route_file
from slipway.envoy.split import ALONE, Condition, Match, Split, Sticky

__all__ = [
    "ALONE",
    "DEATHS_PATH",
    "DRAIN_HEADER",
    "DRAIN_PATH",
    "FORWARDED",
    "GRPC_CODE",
    "HOOKS_LIVE_PATH",
    "INFERENCE",
    "OTHER",
    "ROUTE_CONFIG",
    "SERVER_LIVE_PATH",
    "SERVER_METRICS_PATH",
    "Condition",
    "Cors",
    "Match",
    "ProxyConfig",
    "Split",
    "Sticky",
    "Upstream",
    "bootstrap",
    "route_file",
    "to_text",
]
