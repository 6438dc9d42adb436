"""The bootstrap of a server pod's Envoy: all that is fixed for the life of the pod."""

from typing import Any

from slipway.envoy.clusters import clusters
from slipway.envoy.config import ADMIN_ADDRESS, ProxyConfig, address, typed
from slipway.envoy.listeners import ops_listener, users_listener

MAX_DOWNSTREAM_CONNECTIONS = 10_000


def bootstrap(config: ProxyConfig) -> dict[str, Any]:
    """Return the whole bootstrap (envoy.config.bootstrap.v3.Bootstrap in JSON form).

    It names no address but loopback: nothing is fetched, and no control plane is asked.
    """
    return {
        "node": {"id": config.deployment, "cluster": f"{config.namespace}/{config.deployment}"},
        "admin": {"address": address(ADMIN_ADDRESS, config.admin_port)},
        "static_resources": {
            "listeners": [users_listener(config), ops_listener(config)],
            "clusters": clusters(config),
        },
        "stats_config": {"stats_tags": [_tag("slipway_model", config.model)]},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "layered_runtime": {"layers": []},
    }


def _tag(name: str, value: str) -> dict[str, Any]:
    return {"tag_name": name, "fixed_value": value}


def _connection_limit() -> dict[str, Any]:
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": typed(
            "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections=MAX_DOWNSTREAM_CONNECTIONS,
        ),
    }
