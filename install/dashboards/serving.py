"""Serving: one deployment, over all its revisions."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from install.dashboards.parts import (
    Query,
    Steps,
    above,
    below,
    board,
    graph,
    number,
    of_one,
)

MODEL = 'namespace="$namespace", deployment="$deployment"'
OWN = f'{MODEL}, envoy_cluster_name="torchserve"'
USERS = f'{MODEL}, envoy_http_conn_manager_prefix="http"'
HANDED = f'{MODEL}, envoy_cluster_name="other"'
FORWARDED = f'{MODEL}, envoy_route="forwarded"'
RATE = "$__rate_interval"
SOURCES = {
    "queue full": "rq_pending_overflow",
    "no connection": "rq_retry_limit_exceeded",
    "connection lost": "cx_destroy_remote_with_active_rq",
    "too late": "rq_timeout",
}
"""Why Envoy has no answer of the model's: names in the panel, and its counters upstream_*."""
GRPC_FAULTS = 'slipway_grpc_code=~"2|4|12|13|14|15"'
"""gRPC's codes of a server at fault, as in the recording rules."""
ERRORS: Steps = below(0.001, 0.01)
BURN: Steps = below(1, 14.4)


def dashboard() -> Dashboard:
    """Return the dashboard's builder."""
    made = board("serving", "Slipway / Serving", "One ModelDeployment, as its proxies count.")
    of_one(made, "deployment", "ModelDeployment", "slipway_model_deployment_replicas")
    _now(made)
    _traffic(made)
    _saturation(made)
    _pods(made)
    return made


def _now(made: Dashboard) -> None:
    made.with_row(Row("Current state"))
    made.with_panel(
        number(
            "Requests",
            "Requests a second that the model's servers answer.",
            "reqps",
            Query(f"sum(slipway:requests:rate5m{{{MODEL}}})"),
        )
    )
    made.with_panel(
        number(
            "Errors",
            "Share of requests in five minutes that ended in a server error.",
            "percentunit",
            Query(f"max(slipway:error_ratio:rate5m{{{MODEL}}})"),
            steps=ERRORS,
        )
    )
    made.with_panel(
        number(
            "p99",
            "Time within which 99 % of the requests were answered, of the slowest revision.",
            "s",
            Query(f"max(slipway:request_duration_seconds:p99{{{MODEL}}})"),
            steps=below(0.5, 1),
        )
    )
    made.with_panel(
        number(
            "Ready pods",
            "Pods that take traffic.",
            "none",
            Query(f'slipway_model_deployment_replicas{{{MODEL}, state="ready"}}'),
            steps=above(1, 1),
        )
    )
    made.with_panel(
        number(
            "In flight",
            "Requests that are being answered.",
            "none",
            Query(
                f"sum(envoy_http_downstream_rq_active{{{USERS}}}) "
                f"- (sum(envoy_cluster_upstream_rq_active{{{HANDED}}}) or vector(0))"
            ),
        )
    )
    made.with_panel(
        number(
            "Cold start",
            "Time from a pod's creation to its readiness: the mean of those that were seen.",
            "s",
            Query(
                f"sum(slipway_model_cold_start_seconds_sum{{{MODEL}}}) "
                f"/ sum(slipway_model_cold_start_seconds_count{{{MODEL}}})"
            ),
            steps=below(120, 600),
        )
    )


def _rate(series: str) -> str:
    return f"sum(rate(envoy_cluster_upstream_{series}{{{OWN}}}[{RATE}]))"


def _of_the_model() -> str:
    """Return the rate of errors that none of the other sources is behind.

    Envoy has no series of a class before the first answer of it: then there were no errors.
    """
    every = f"rate(envoy_cluster_upstream_rq_xx{{{OWN}}}[{RATE}])"
    errors = f'rate(envoy_cluster_upstream_rq_xx{{{OWN}, envoy_response_code_class="5"}}[{RATE}])'
    rest = " - ".join([f"(sum({errors}) or sum({every}) * 0)", *map(_rate, SOURCES.values())])
    return f"clamp_min({rest}, 0)"


def _answers_by_code() -> str:
    """Return the rate at the users' listeners, less what one slot's Envoy asked of the other's."""
    by = "sum by (envoy_response_code_class)"
    every = f"{by} (rate(envoy_http_downstream_rq_xx{{{USERS}}}[{RATE}]))"
    twice = f"{by} (rate(envoy_vhost_route_upstream_rq_xx{{{FORWARDED}}}[{RATE}]))"
    return f"{every} - ({twice} or {every} * 0)"


def _traffic(made: Dashboard) -> None:
    made.with_row(Row("Traffic"))
    by = "revision"
    made.with_panel(
        graph(
            "Requests by revision",
            "Requests a second, by the revision that answered.",
            "reqps",
            Query(
                f"sum by ({by}) (rate(envoy_cluster_upstream_rq_completed{{{OWN}}}[{RATE}]))",
                "{{revision}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Responses by code",
            "Answers a second that users got, by class of their code; one that a stable pod "
            "fetched from the new revision counts once.",
            "reqps",
            Query(_answers_by_code(), "{{envoy_response_code_class}}xx"),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Errors",
            "Share of requests that ended in a server error, over five minutes and an hour.",
            "percentunit",
            Query(f"slipway:error_ratio:rate5m{{{MODEL}}}", "5 min"),
            Query(f"slipway:error_ratio:rate1h{{{MODEL}}}", "1 h"),
            steps=ERRORS,
        )
    )
    made.with_panel(
        graph(
            "Errors by source",
            "Server errors a second: answers of the model's server, and those of Envoy in its "
            "place; gRPC's by their code.",
            "reqps",
            *(Query(_rate(series), source) for source, series in SOURCES.items()),
            Query(_of_the_model(), "the model"),
            Query(
                "sum by (slipway_grpc_code) "
                f"(rate(envoy_cluster_grpc{{{OWN}, {GRPC_FAULTS}}}[{RATE}]))",
                "gRPC code {{slipway_grpc_code}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Response time",
            "Quantiles over all revisions, as the proxy beside the server measures.",
            "s",
            *(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    f"(rate(envoy_cluster_upstream_rq_time_bucket{{{OWN}}}[{RATE}]))) / 1000",
                    name,
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
        )
    )
    made.with_panel(
        graph(
            "Error budget burn",
            "How many times faster than sustainable the error budget is used up; 14.4 alerts.",
            "none",
            *(
                Query(
                    f"slipway:error_ratio:rate{window}{{{MODEL}}} "
                    "/ scalar(slipway:objective_error_ratio)",
                    window,
                )
                for window in ("5m", "1h", "6h")
            ),
            steps=BURN,
        )
    )
    made.with_panel(
        graph(
            "Latency budget burn",
            "How many times faster than sustainable the budget of slow answers is used up.",
            "none",
            *(
                Query(
                    f"slipway:slow_ratio:rate{window}{{{MODEL}}} "
                    "/ scalar(slipway:objective_slow_ratio)",
                    window,
                )
                for window in ("5m", "1h", "6h")
            ),
            steps=BURN,
        )
    )


def _saturation(made: Dashboard) -> None:
    made.with_row(Row("Saturation"))
    made.with_panel(
        graph(
            "In flight",
            "Requests being answered, by pod.",
            "none",
            Query(f"sum by (pod) (envoy_cluster_upstream_rq_active{{{OWN}}})", "{{pod}}"),
        )
    )
    asked = f"sum by (revision) (rate(ts_inference_requests_total{{{MODEL}}}[{RATE}]))"
    made.with_panel(
        graph(
            "Waiting for a worker",
            "Time that a prediction waited in TorchServe's queue, and the whole time, on average.",
            "s",
            *(
                Query(
                    f"sum by (revision) (rate(ts_{what}_latency_microseconds{{{MODEL}}}[{RATE}])) "
                    f"/ {asked} / 1e6",
                    f"{name} {{{{revision}}}}",
                )
                for what, name in (("queue", "queue"), ("inference", "all"))
            ),
        )
    )
    made.with_panel(
        graph(
            "Time in worker",
            "Time of the last prediction in the handler, and what TorchServe spent around it.",
            "s",
            Query(f"PredictionTime{{{MODEL}}} / 1000", "handler {{pod}}"),
            Query(f"WorkerThreadTime{{{MODEL}}} / 1000", "around it {{pod}}"),
        )
    )


def _pods(made: Dashboard) -> None:
    made.with_row(Row("Pods"))
    made.with_panel(
        graph(
            "Replicas",
            "Pods: desired (where nothing scales them), all, of the newest revision, ready.",
            "none",
            Query(f"max by (state) (slipway_model_deployment_replicas{{{MODEL}}})", "{{state}}"),
        )
    )
    made.with_panel(
        graph(
            "Cold starts",
            "Time from a pod's creation to its readiness, as of the last six hours.",
            "s",
            *(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    f"(increase(slipway_model_cold_start_seconds_bucket{{{MODEL}}}[6h])))",
                    name,
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
        )
    )
    made.with_panel(
        graph(
            "Proxy memory",
            "Memory that Envoy has allocated, by pod.",
            "bytes",
            Query(f"envoy_server_memory_allocated{{{MODEL}}}", "{{pod}}"),
        )
    )
