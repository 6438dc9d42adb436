"""The two doors of a server pod: the users' listener, and the one for probes and scrapes.

Field reference: envoy.extensions.filters.network.http_connection_manager.v3 in Envoy's API
documentation; hardening after its "Configuring Envoy as an edge proxy".
"""

from typing import Any

from slipway.envoy.clusters import ADMIN, LIVENESS, METRICS, READINESS
from slipway.envoy.config import ROUTE_CONFIG, ProxyConfig, address, seconds, typed
from slipway.envoy.routes import answer

ANYWHERE = "0.0.0.0"  # noqa: S104 - the pod's own address is not known here
HTTP_STAT_PREFIX = "http"
"""The users' listener in Envoy's statistics: http.http.downstream_rq_active and so on."""

READY_PATH = "/readyz"
LIVE_PATH = "/livez"
TORCHSERVE_LIVE_PATH = "/livez/torchserve"
METRICS_PATH = "/metrics"
TORCHSERVE_METRICS_PATH = "/metrics/torchserve"


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
        http_filters=[_router()],
        access_log=[_error_log()],
    )
    return _listener("http", config.http_port, manager)


def ops_listener(config: ProxyConfig) -> dict[str, Any]:
    """Return the listener for the kubelet's probes and for scrapes.

    It reaches exactly the paths below: neither Envoy's admin interface nor TorchServe's
    management API. Readiness fails while a worker is not READY and while the pod drains.
    """
    routes = [
        answer("live", {"path": LIVE_PATH}, 200, "live"),
        _forward("torchserve-live", TORCHSERVE_LIVE_PATH, LIVENESS, "/ping"),
        _forward("metrics", METRICS_PATH, ADMIN, "/stats/prometheus"),
        _forward("torchserve-metrics", TORCHSERVE_METRICS_PATH, METRICS, "/metrics"),
        answer("not-found", {"prefix": "/"}, 404, "There is no such path here."),
    ]
    manager = _manager(
        "ops",
        route_config={
            "name": "ops",
            "virtual_hosts": [{"name": "ops", "domains": ["*"], "routes": routes}],
        },
        stream_idle_timeout=seconds(30),
        http_filters=[_readiness(), _router()],
    )
    return {**_listener("ops", config.ops_port, manager), "ignore_global_conn_limit": True}


def _listener(name: str, port: int, manager: dict[str, Any]) -> dict[str, Any]:
    http = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": name,
        "address": address(ANYWHERE, port),
        "per_connection_buffer_limit_bytes": 1 << 20,
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
        common_http_protocol_options={"idle_timeout": seconds(3600)},
        request_headers_timeout=seconds(10),
        local_reply_config=_json_errors(),
        **fields,
    )


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


def _forward(name: str, path: str, cluster: str, target: str) -> dict[str, Any]:
    only_get = {"name": ":method", "string_match": {"exact": "GET"}}
    return {
        "name": name,
        "match": {"path": path, "headers": [only_get]},
        "route": {"cluster": cluster, "prefix_rewrite": target, "timeout": seconds(15)},
    }


def _json_errors() -> dict[str, Any]:
    """Return how Envoy words its own answers: JSON shaped like TorchServe's errors."""
    body = {"code": "%RESPONSE_CODE%", "type": "Slipway", "message": "%LOCAL_REPLY_BODY%"}
    return {"body_format": {"json_format": body}}


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
