"""The doors of a server pod: the users' listener, that of probes and scrapes, that of its hooks.

Field reference: envoy.extensions.filters.network.http_connection_manager.v3 in Envoy's API
documentation; hardening after its "Configuring Envoy as an edge proxy".
"""

from collections.abc import Iterator
from typing import Any

from slipway.envoy.answers import MAX_HEADERS, MAX_HEADERS_KIB, answer, json_errors
from slipway.envoy.bodies import body_filters
from slipway.envoy.clusters import ADMIN, DEATHS, HOOKS, INFERENCE, LIVENESS, METRICS, READINESS
from slipway.envoy.config import (
    CONNECTION_BUFFER_BYTES,
    LOOPBACK,
    ROUTE_CONFIG,
    ProxyConfig,
    Upstream,
    address,
    seconds,
    typed,
)

ANYWHERE = "0.0.0.0"  # noqa: S104 - the pod's own address is not known here
HTTP_STAT_PREFIX = "http"
"""The users' listener in Envoy's statistics: http.http.downstream_rq_active and so on."""

IDLE_SECONDS = 900
"""How long a connection is kept that nobody uses."""
REQUEST_SECONDS = 300
"""Longest time for a request to come in, with its body."""
CORS = "envoy.filters.http.cors"

READY_PATH = "/readyz"
LIVE_PATH = "/livez"
SERVER_LIVE_PATH = f"/livez/{INFERENCE}"
METRICS_PATH = "/metrics"
SERVER_METRICS_PATH = f"/metrics/{INFERENCE}"
DEATHS_PATH = "/workers/last-death"
DRAIN_PATH = "/hooks/drain"
HOOKS_LIVE_PATH = "/hooks/livez"
DRAIN_HEADER = "x-slipway-drain"
"""Header with the token that opens `DRAIN_PATH`."""
_NO_METRICS = "/stats/prometheus?filter=^$"
"""An empty page, for those who scrape every pod, of a server that counts nothing."""


def users_listener(config: ProxyConfig) -> dict[str, Any]:
    """Return the listener that users reach through the Service; its routes come from a file."""
    source = {
        "path_config_source": {
            "path": f"{config.routes_folder}/{config.routes_file}",
            "watched_directory": {"path": config.routes_folder},
        }
    }
    manager = _manager(
        HTTP_STAT_PREFIX,
        rds={"route_config_name": ROUTE_CONFIG, "config_source": source},
        stream_idle_timeout=seconds(config.route_timeout + 30),
        request_timeout=seconds(max(REQUEST_SECONDS, config.route_timeout)),
        http_filters=[_cors(), *body_filters(config), *_grpc_counters(config), _router()],
        access_log=[_error_log()],
    )
    return _listener("http", address(ANYWHERE, config.http_port), manager)


def ops_listener(config: ProxyConfig) -> dict[str, Any]:
    """Return the listener for the kubelet's probes and for scrapes.

    It reaches exactly the paths below: neither Envoy's admin interface nor the server's
    management API. Readiness fails while a worker is not READY and while the pod drains.
    """
    routes = [
        answer("live", {"path": LIVE_PATH}, 200, "live"),
        *_pages(config.upstream),
        *(_drained(config.drain_token) if config.drain_token else ()),
        answer("not-found", {"prefix": "/"}, 404, "There is no such path here."),
    ]
    return _inner("ops", address(ANYWHERE, config.ops_port), routes, [_readiness(), _router()])


def _pages(upstream: Upstream) -> Iterator[dict[str, Any]]:
    """Yield the routes to what tells of the server and of Envoy.

    Prometheus follows redirects, and reaches what the server's author may not.
    """
    if upstream.live_path:
        yield _forward(f"{INFERENCE}-live", SERVER_LIVE_PATH, LIVENESS, upstream.live_path)
    yield _forward("metrics", METRICS_PATH, ADMIN, "/stats/prometheus")
    own = upstream.metrics_path
    cluster, page = (METRICS, own) if own else (ADMIN, _NO_METRICS)
    told = _forward(f"{INFERENCE}-metrics", SERVER_METRICS_PATH, cluster, page)
    yield {**told, "response_headers_to_remove": ["location"]}
    if upstream.deaths_path:
        yield _forward("worker-deaths", DEATHS_PATH, DEATHS, upstream.deaths_path)


def _drained(token: str) -> Iterator[dict[str, Any]]:
    """Yield the routes of the preStop hook, which lasts as long as the drain, and of its life.

    Whoever does not know the token could otherwise take the pod out of service.
    """
    yield _forward("hooks-live", HOOKS_LIVE_PATH, HOOKS, "/livez")
    drain = _forward("drain", DRAIN_PATH, HOOKS, "/drain")
    known = {"name": DRAIN_HEADER, "string_match": {"exact": token}}
    match = {**drain["match"], "headers": [*drain["match"]["headers"], known]}
    unbounded = {"timeout": seconds(0), "idle_timeout": seconds(0)}
    yield {**drain, "match": match, "route": {**drain["route"], **unbounded}}


def hooks_listener(config: ProxyConfig) -> dict[str, Any]:
    """Return the listener for the pod's own hooks, on loopback.

    The server's container starts and ends a drain here and sees it through. The model's code can
    ask it as well, and gets no further than to its own pod's readiness.
    """
    routes = [
        _forward("fail", "/healthcheck/fail", ADMIN, "/healthcheck/fail", "POST"),
        _forward("ok", "/healthcheck/ok", ADMIN, "/healthcheck/ok", "POST"),
        _forward("stats", "/stats", ADMIN, "/stats"),
        answer("not-found", {"prefix": "/"}, 404, "There is no such path here."),
    ]
    return _inner("hooks", address(LOOPBACK, config.hooks_port), routes, [_router()])


def _inner(
    name: str, where: dict[str, Any], routes: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return a listener that is not the users': its routes are fixed, and overload spares it."""
    hosts = [{"name": name, "domains": ["*"], "routes": routes}]
    manager = _manager(
        name,
        route_config={"name": name, "virtual_hosts": hosts},
        stream_idle_timeout=seconds(30),
        http_filters=filters,
    )
    return {**_listener(name, where, manager), **_UNLIMITED}


_UNLIMITED = {"ignore_global_conn_limit": True, "bypass_overload_manager": True}
"""What keeps the kubelet from taking a busy pod for a dead one."""


def _listener(name: str, where: dict[str, Any], manager: dict[str, Any]) -> dict[str, Any]:
    http = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": name,
        "address": where,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "filter_chains": [{"filters": [http]}],
    }


def _manager(stat_prefix: str, **fields: Any) -> dict[str, Any]:
    return typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=stat_prefix,
        codec_type="AUTO",
        server_name="slipway",
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        common_http_protocol_options={
            "idle_timeout": seconds(IDLE_SECONDS),
            "max_headers_count": MAX_HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        http_protocol_options={"accept_http_10": True, "default_host_for_http_10": "model"},
        http2_protocol_options=_http2(),
        max_request_headers_kb=MAX_HEADERS_KIB,
        request_headers_timeout=seconds(10),
        local_reply_config=json_errors(),
        **fields,
    )


def _http2() -> dict[str, Any]:
    """Return bounds of what one connection can have Envoy keep in memory.

    Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge
    """
    return {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 65_536,
        "initial_connection_window_size": 1 << 20,
    }


def _cors() -> dict[str, Any]:
    """Return the filter that answers web pages' preflights by the policy of the route file."""
    return {
        "name": CORS,
        "typed_config": typed("envoy.extensions.filters.http.cors.v3.Cors"),
    }


def _grpc_counters(config: ProxyConfig) -> Iterator[dict[str, Any]]:
    """Yield the filter that counts gRPC's codes, which come behind an answer that is always 200.

    They are cluster.torchserve.grpc.CODE; see `slipway.envoy.bootstrap`. Source: Envoy's "gRPC
    Statistics"
    """
    if config.upstream.speaks_grpc:
        counting = typed(
            "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", stats_for_all_methods=False
        )
        yield {"name": "envoy.filters.http.grpc_stats", "typed_config": counting}


def _router() -> dict[str, Any]:
    router = typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    return {"name": "envoy.filters.http.router", "typed_config": router}


def _readiness() -> dict[str, Any]:
    check = typed(
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": READY_PATH}}],
        cluster_min_healthy_percentages={READINESS: {"value": 100}},
    )
    return {"name": "envoy.filters.http.health_check", "typed_config": check}


def _forward(
    name: str, path: str, cluster: str, target: str, method: str = "GET"
) -> dict[str, Any]:
    only = {"name": ":method", "string_match": {"exact": method}}
    return {
        "name": name,
        "match": {"path": path, "headers": [only]},
        "route": {"cluster": cluster, "prefix_rewrite": target, "timeout": seconds(15)},
    }


def _error_log() -> dict[str, Any]:
    """Return the access log: one JSON line on standard output for each answer from 500 on.

    Queries are left out, for they may hold what is not to be logged.
    """
    fields = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:PATH)%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "durationMilliseconds": "%DURATION%",
        "requestId": "%REQ(X-REQUEST-ID)%",
    }
    server_error = {"default_value": 500, "runtime_key": "slipway.access_log.min_code"}
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {"status_code_filter": {"comparison": {"op": "GE", "value": server_error}}},
        "typed_config": typed(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": fields},
        ),
    }
