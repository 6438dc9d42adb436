"""Everything that knows Envoy: the bootstrap and the route file of a server pod. Pure."""

from slipway.envoy.bootstrap import bootstrap
from slipway.envoy.clusters import FORWARDED, INFERENCE, OTHER
from slipway.envoy.config import (
    ADMIN_ADDRESS,
    MAX_REQUEST_BYTES,
    ROUTE_CONFIG,
    ProxyConfig,
    to_text,
)
from slipway.envoy.routes import route_file
from slipway.envoy.split import ALONE, Condition, Match, Split, Sticky

__all__ = [
    "ADMIN_ADDRESS",
    "ALONE",
    "FORWARDED",
    "INFERENCE",
    "MAX_REQUEST_BYTES",
    "OTHER",
    "ROUTE_CONFIG",
    "Condition",
    "Match",
    "ProxyConfig",
    "Split",
    "Sticky",
    "bootstrap",
    "route_file",
    "to_text",
]
