"""Operator: how it does its own work."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from install.dashboards.parts import Query, above, below, board, choice, graph, number

POD = 'pod=~"$pod"'
RATE = "$__rate_interval"
DAY = 86_400


def dashboard() -> Dashboard:
    """Return the dashboard's builder."""
    made = board("operator", "Slipway / Operator", "The operator's loop, queue, watches, requests.")
    made.with_variable(choice("pod", "Replica", "slipway_leader", many=True))
    _now(made)
    _loop(made)
    _api(made)
    _process(made)
    return made


def _now(made: Dashboard) -> None:
    made.with_row(Row("Current state"))
    made.with_panel(
        number(
            "Leaders",
            "Replicas that act: one, always.",
            "none",
            Query("sum(slipway_leader)"),
            steps=above(1, 1),
        )
    )
    made.with_panel(number("Replicas", "That are scraped.", "none", Query("count(slipway_leader)")))
    made.with_panel(
        number(
            "Waiting keys",
            "Objects that are due and wait for a worker.",
            "none",
            Query(f"sum(slipway_workqueue_depth{{{POD}}})"),
            steps=below(20, 200),
        )
    )
    made.with_panel(
        number(
            "Oldest watch event",
            "Longest time since the API server last answered one of the watches.",
            "s",
            Query(f"max(slipway_watch_age_seconds{{{POD}}})"),
            steps=below(150, 300),
        )
    )
    made.with_panel(
        number(
            "Objects watched",
            "In the operator's cache.",
            "none",
            Query(f"max(slipway_cached_objects{{{POD}}})"),
        )
    )
    made.with_panel(
        number(
            "Next certificate expiry",
            "Time until then, of those that the operator depends on.",
            "s",
            Query(f"min(slipway_certificate_expiry_timestamp_seconds{{{POD}}}) - time()"),
            steps=above(2 * DAY, 14 * DAY),
        )
    )


def _loop(made: Dashboard) -> None:
    made.with_row(Row("Loop"))
    made.with_panel(
        graph(
            "Reconciles",
            "Reconciles a second, by kind and how they ended.",
            "ops",
            Query(
                f"sum by (kind, result) (rate(slipway_reconcile_total{{{POD}}}[{RATE}]))",
                "{{kind}} {{result}}",
            ),
        )
    )
    made.with_panel(
        graph(
            "Reconcile time",
            "Quantiles by kind. Exemplars name the trace in the operator's logs.",
            "s",
            *(
                Query(
                    f"histogram_quantile({share}, sum by (kind, le) "
                    f"(rate(slipway_reconcile_duration_seconds_bucket{{{POD}}}[{RATE}])))",
                    f"{{{{kind}}}} {name}",
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
        )
    )
    made.with_panel(
        graph(
            "Errors",
            "Failed reconciles in an hour, by kind and reason.",
            "none",
            Query(
                f"sum by (kind, reason) (increase(slipway_reconcile_errors_total{{{POD}}}[1h]))",
                "{{kind}} {{reason}}",
            ),
        )
    )
    made.with_panel(
        graph(
            "Queue",
            "Keys that wait for a worker, and keys that are worked on.",
            "none",
            Query(f"sum(slipway_workqueue_depth{{{POD}}})", "waiting"),
            Query(f"sum(slipway_workqueue_active{{{POD}}})", "active"),
        )
    )
    made.with_panel(
        graph(
            "Wait for a worker",
            "Quantiles of the time that a key which was due waited.",
            "s",
            *(
                Query(
                    f"histogram_quantile({share}, sum by (le) "
                    f"(rate(slipway_workqueue_wait_seconds_bucket{{{POD}}}[{RATE}])))",
                    name,
                )
                for share, name in ((0.5, "p50"), (0.99, "p99"))
            ),
        )
    )
    made.with_panel(
        graph(
            "Watches",
            "Time since the API server last answered each watch; it ends each after two minutes.",
            "s",
            Query(f"max by (path) (slipway_watch_age_seconds{{{POD}}})", "{{path}}"),
            steps=below(150, 300),
        )
    )


def _api(made: Dashboard) -> None:
    made.with_row(Row("API server"))
    made.with_panel(
        graph(
            "Requests by verb",
            "Requests a second.",
            "reqps",
            Query(f"sum by (verb) (rate(slipway_api_requests_total{{{POD}}}[{RATE}]))", "{{verb}}"),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Requests by code",
            "Requests a second by status; 429 is the server's throttle, 0 is no answer.",
            "reqps",
            Query(f"sum by (code) (rate(slipway_api_requests_total{{{POD}}}[{RATE}]))", "{{code}}"),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Writes",
            "Writes for objects a second, by kind and what was written.",
            "wps",
            Query(
                f"sum by (kind, what) (rate(slipway_api_writes_total{{{POD}}}[{RATE}]))",
                "{{kind}} {{what}}",
            ),
            stacked=True,
        )
    )


def _process(made: Dashboard) -> None:
    made.with_row(Row("Process"))
    own = f'{POD}, job="slipway-operator"'
    made.with_panel(
        graph(
            "CPU",
            "Cores in use, by replica.",
            "none",
            Query(f"rate(process_cpu_seconds_total{{{own}}}[{RATE}])", "{{pod}}"),
        )
    )
    made.with_panel(
        graph(
            "Memory",
            "Resident memory, by replica.",
            "bytes",
            Query(f"process_resident_memory_bytes{{{own}}}", "{{pod}}"),
        )
    )
    made.with_panel(
        graph(
            "Open files",
            "File descriptors in use, connections among them.",
            "none",
            Query(f"process_open_fds{{{own}}}", "{{pod}}"),
        )
    )
