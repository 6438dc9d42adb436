"""The upstreams of a pod's Envoy: the model's server, Envoy's own admin port, the other slot.

All but the last are on loopback. Field reference: envoy.config.cluster.v3.Cluster and
envoy.config.core.v3.HealthCheck in Envoy's API documentation.
"""

from typing import Any

from slipway.envoy.config import (
    CONNECTION_BUFFER_BYTES,
    LOOPBACK,
    ProxyConfig,
    Upstream,
    address,
    seconds,
    typed,
)

INFERENCE = "torchserve"
"""The model's server, whatever its runtime: dashboards and rules know it by this name."""
LIVENESS = f"{INFERENCE}_liveness"
"""Apart from `INFERENCE`: probes are not to be counted among the users' requests."""
READINESS = f"{INFERENCE}_readiness"
METRICS = f"{INFERENCE}_metrics"
DEATHS = "worker_deaths"
"""The page that tells why a worker died last."""
HOOKS = "pod_hooks"
"""The program that drains a pod whose server has none; see `slipway_pods.serve.hooks`."""
ADMIN = "envoy_admin"
OTHER = "other"
"""The pods of the deployment's other slot, which hold another revision."""

FORWARDED = "x-slipway-forwarded"
"""Header with the address that a request is forwarded to."""
TOKEN = "x-slipway-token"  # noqa: S105 - a header's name
"""Header that marks a forwarded request as such, by what only the deployment's Envoys know."""

IDLE_SECONDS = 3
"""How long an unused connection to the other slot is kept. It leads to the pod that it was opened
to, and must be gone before a pod of another revision comes to that slot."""
CHECK_SECONDS = 2
LOOPBACK_CONNECT_SECONDS = 10
"""Longest wait for a connection within the pod.

Where many come at once, the kernel drops those that find the server's backlog full, and tries them
again after 1, 3 and 7 seconds.
Source: https://docs.kernel.org/networking/ip-sysctl.html, tcp_syn_retries
"""
MAX_PENDING = 4096
"""Requests to the other slot that may wait at a time: its own Envoys are to refuse work."""


def clusters(config: ProxyConfig) -> list[dict[str, Any]]:
    """Return all upstream clusters."""
    upstream = config.upstream
    return [
        inference_cluster(config),
        other_cluster(grpc=upstream.speaks_grpc),
        readiness_cluster(config),
        *([_loopback(LIVENESS, upstream.live_port)] if upstream.live_path else ()),
        *([_loopback(METRICS, upstream.metrics_port)] if upstream.metrics_path else ()),
        *([_loopback(DEATHS, upstream.deaths_port)] if upstream.deaths_path else ()),
        *([_loopback(HOOKS, config.drain_port)] if config.drain_token else ()),
        _admin(config),
    ]


def inference_cluster(config: ProxyConfig) -> dict[str, Any]:
    """Return the cluster that answers users.

    The server refuses what does not fit into its queue, and may not say that it was the queue. It
    gets no more at a time than fits; the others wait here, where one that its client gives up is
    forgotten, and take a connection each as they come free. A connection has one request.
    """
    limits, upstream = _limits(config.most_at_once, config.most_waiting), config.upstream
    cluster = _loopback(INFERENCE, upstream.inference_port, _protocol(upstream))
    return {**cluster, "circuit_breakers": limits}


def _protocol(upstream: Upstream) -> dict[str, Any]:
    """Return the options of the server's protocol."""
    idle = upstream.idle_seconds
    return _http(grpc=upstream.speaks_grpc, **({"idle_timeout": seconds(idle)} if idle else {}))


def other_cluster(*, grpc: bool = False) -> dict[str, Any]:
    """Return the cluster of the other slot's pods, whose address each route to it names.

    Nothing but the route file sets that header on a request that goes here (see
    `slipway.envoy.routes`), so that no user can choose the address.
    """
    return {
        "name": OTHER,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": FORWARDED},
        "connect_timeout": seconds(1),
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": _limits(MAX_PENDING, MAX_PENDING),
        "typed_extension_protocol_options": _http(grpc=grpc, idle_timeout=seconds(IDLE_SECONDS)),
    }


def _limits(connections: int, pending: int) -> dict[str, Any]:
    """Return explicit circuit breakers; those for HTTP/2 and for retries never open first."""
    limits = {
        "max_connections": connections,
        "max_pending_requests": pending,
        "max_requests": connections + pending,
        "max_retries": 64,
        "track_remaining": True,
    }
    return {"thresholds": [{"priority": "DEFAULT", **limits}]}


def readiness_cluster(config: ProxyConfig) -> dict[str, Any]:
    """Return the cluster that is healthy while the server takes requests."""
    upstream = config.upstream
    check = {
        "timeout": seconds(5),
        "interval": seconds(CHECK_SECONDS),
        "unhealthy_interval": seconds(1),
        "no_traffic_interval": seconds(1),
        "no_traffic_healthy_interval": seconds(CHECK_SECONDS),
        "healthy_threshold": 1,
        "unhealthy_threshold": 3,
        **_check(upstream),
    }
    return {
        **_loopback(READINESS, upstream.management_port, _http(grpc=upstream.speaks_grpc)),
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [check],
    }


def _check(upstream: Upstream) -> dict[str, Any]:
    """Return how the server is asked: by its page, its gRPC health service, or a connection.

    The states of workers are counted: each ``receive`` block must be found after the one before.
    """
    if upstream.ready_path is not None:
        told = [{"text": upstream.ready_text.encode().hex()}] * upstream.workers
        page = {"path": upstream.ready_path, "host": "localhost"}
        body = {"receive": told, "response_buffer_size": 0} if upstream.ready_text else {}
        return {"http_health_check": {**page, **body}}
    if upstream.grpc_service is not None:
        return {"grpc_health_check": {"service_name": upstream.grpc_service}}
    return {"tcp_health_check": {}}


def _loopback(name: str, port: int, protocol: dict[str, Any] | None = None) -> dict[str, Any]:
    return _static(name, address(LOOPBACK, port), protocol)


def _admin(config: ProxyConfig) -> dict[str, Any]:
    return _static(ADMIN, {"pipe": {"path": config.admin_socket}})


def _static(
    name: str, where: dict[str, Any], protocol: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a cluster with one address within the pod, which is asked by HTTP/1.1 by default."""
    endpoint = {"endpoint": {"address": where}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": seconds(LOOPBACK_CONNECT_SECONDS),
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": protocol or _http(),
    }


def _http(*, grpc: bool = False, **common: Any) -> dict[str, Any]:
    """Return the options of HTTP/1.1, or HTTP/2; ``common`` are those that all versions have."""
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    more = {"common_http_protocol_options": common} if common else {}
    version = "http2_protocol_options" if grpc else "http_protocol_options"
    return {name: typed(name, explicit_http_config={version: {}}, **more)}
