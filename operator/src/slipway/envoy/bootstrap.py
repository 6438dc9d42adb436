"""The bootstrap of a server pod's Envoy: all that is fixed for the life of the pod."""

from collections.abc import Iterator
from typing import Any

from slipway.envoy.bodies import PROGRAM_SIZE
from slipway.envoy.clusters import INFERENCE, OTHER, clusters
from slipway.envoy.config import ProxyConfig
from slipway.envoy.listeners import hooks_listener, ops_listener, users_listener
from slipway.envoy.overload import overload_manager

R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
GRPC_CODE = "slipway_grpc_code"
"""Label with the code of a gRPC answer, whose HTTP code is always 200."""
ANSWER_TIME_BUCKETS = (
    *(0.5, 1, 2, 3, 4, 5, 6, 8),
    *(step * scale for scale in (10, 100, 1_000, 10_000, 100_000) for step in R10),
    *(1_000_000, 4_000_000),
)
"""Upper bounds of the answer times' histogram, in milliseconds."""


_RUNTIME = {"re2.max_program_size.error_level": PROGRAM_SIZE}


def bootstrap(config: ProxyConfig) -> dict[str, Any]:
    """Return the whole bootstrap (envoy.config.bootstrap.v3.Bootstrap in JSON form).

    It names no address but loopback: nothing is fetched, and no control plane is asked. The admin
    interface, which obeys whoever reaches it, is a socket in a folder that Envoy alone has.
    """
    return {
        "node": {"id": config.deployment, "cluster": f"{config.namespace}/{config.deployment}"},
        "admin": {"address": {"pipe": {"path": config.admin_socket, "mode": 0o600}}},
        "static_resources": {
            "listeners": [users_listener(config), ops_listener(config), hooks_listener(config)],
            "clusters": clusters(config),
        },
        "stats_config": {
            "stats_tags": [_tag("slipway_model", config.model), *_grpc_codes(config)],
            "histogram_bucket_settings": [_answer_time_buckets()],
        },
        "overload_manager": overload_manager(config),
        "layered_runtime": {"layers": [{"name": "fixed", "static_layer": _RUNTIME}]},
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


def _grpc_codes(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield what makes gRPC's code a label of envoy_cluster_grpc, so that rules can add some up.

    Envoy puts it into the name: cluster.torchserve.grpc.13. Of the expression's two groups the
    first is cut out of the name, and the second is the label's value.
    """
    if config.upstream.speaks_grpc:
        yield {"tag_name": GRPC_CODE, "regex": r"^cluster\.[^.]+\.grpc(\.([0-9]+))$"}


def _tag(name: str, value: str) -> dict[str, Any]:
    return {"tag_name": name, "fixed_value": value}
