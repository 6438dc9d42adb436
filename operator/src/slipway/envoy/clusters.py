"""The upstreams of a server pod's Envoy: TorchServe's three ports and Envoy's own admin port.

All are on loopback. Field reference: envoy.config.cluster.v3.Cluster and
envoy.config.core.v3.HealthCheck in Envoy's API documentation.
"""

from typing import Any

from slipway.envoy.config import ADMIN_ADDRESS, ProxyConfig, address, seconds, typed

INFERENCE = "torchserve"
READINESS = "torchserve_readiness"
METRICS = "torchserve_metrics"
ADMIN = "envoy_admin"

WORKER_READY = '"status": "READY"'
"""What TorchServe writes once for each worker that has loaded the model (GET /models/NAME)."""

CHECK_SECONDS = 2
MAX_PENDING = 4096
"""TorchServe's own job queue, not Envoy, is to be the one that refuses work."""


def clusters(config: ProxyConfig) -> list[dict[str, Any]]:
    """Return all upstream clusters."""
    return [
        inference_cluster(config),
        readiness_cluster(config),
        _loopback(METRICS, config.metrics_port),
        _loopback(ADMIN, config.admin_port),
    ]


def inference_cluster(config: ProxyConfig) -> dict[str, Any]:
    """Return the cluster that answers users, with explicit and generous circuit breakers."""
    limits = {
        "max_connections": MAX_PENDING,
        "max_pending_requests": MAX_PENDING,
        "max_requests": 2 * MAX_PENDING,
        "max_retries": 64,
        "track_remaining": True,
    }
    return {
        **_loopback(INFERENCE, config.inference_port),
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **limits}]},
    }


def readiness_cluster(config: ProxyConfig) -> dict[str, Any]:
    """Return the cluster that is healthy while all of TorchServe's workers are READY.

    TorchServe's /ping says "Healthy" with no model loaded at all, so the workers' states are
    counted: each ``receive`` block must be found after the one before.
    """
    ready = {"text": WORKER_READY.encode().hex()}
    check = {
        "timeout": seconds(5),
        "interval": seconds(CHECK_SECONDS),
        "unhealthy_interval": seconds(1),
        "no_traffic_interval": seconds(1),
        "no_traffic_healthy_interval": seconds(CHECK_SECONDS),
        "healthy_threshold": 1,
        "unhealthy_threshold": 3,
        "http_health_check": {
            "path": f"/models/{config.model}",
            "host": "localhost",
            "receive": [ready] * config.workers,
            "response_buffer_size": 0,
        },
    }
    return {
        **_loopback(READINESS, config.management_port),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [check],
    }


def _loopback(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": address(ADMIN_ADDRESS, port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": seconds(1),
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    }
