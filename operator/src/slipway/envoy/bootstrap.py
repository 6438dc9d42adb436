"""The bootstrap of a server pod's Envoy: all that is fixed for the life of the pod."""

from typing import Any

from slipway.envoy.clusters import INFERENCE, OTHER, clusters
from slipway.envoy.config import ADMIN_ADDRESS, ProxyConfig, address, typed
from slipway.envoy.listeners import ops_listener, users_listener

MAX_DOWNSTREAM_CONNECTIONS = 10_000

R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
ANSWER_TIME_BUCKETS = (
    *(0.5, 1, 2, 3, 4, 5, 6, 8),
    *(step * scale for scale in (10, 100, 1_000, 10_000, 100_000) for step in R10),
    *(1_000_000, 4_000_000),
)
"""Upper bounds of the answer times' histogram, in milliseconds."""


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
        "stats_config": {
            "stats_tags": [_tag("slipway_model", config.model)],
            "histogram_bucket_settings": [_answer_time_buckets()],
        },
        "overload_manager": {"resource_monitors": [_connection_limit()]},
        "layered_runtime": {"layers": []},
    }


def _answer_time_buckets() -> dict[str, Any]:
    """Return fine bounds for the histograms of answer times, in milliseconds.

    Envoy's own bounds double and more, so that within one bucket a revision could be twice as slow
    as another and nobody would see it. Each of these lies at most a third above the one before, and
    from 10 ms on a quarter: the preferred numbers R10 of ISO 3. Envoy counts whole milliseconds.
    """
    name = f"cluster[.]({INFERENCE}|{OTHER})[.]upstream_rq_time"
    return {
        "match": {"safe_regex": {"regex": name}},
        "buckets": list(ANSWER_TIME_BUCKETS),
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
