"""Rollout: the stable revision beside the new one."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from install.dashboards.parts import Query, below, board, graph, listing, number, of_one, word

MODEL = 'namespace="$namespace", deployment="$deployment"'
OWN = f'{MODEL}, envoy_cluster_name="torchserve"'
RATE = "$__rate_interval"


def dashboard() -> Dashboard:
    """Return the dashboard's builder."""
    made = board(
        "rollout", "Slipway / Rollout", "How a new revision of a ModelDeployment takes over."
    )
    of_one(made, "deployment", "ModelDeployment", "slipway_rollout_phase")
    _now(made)
    _side_by_side(made)
    _verdicts(made)
    _outcomes(made)
    return made


def _now(made: Dashboard) -> None:
    made.with_row(Row("Current state"))
    made.with_panel(
        word("Phase", "Where it stands.", Query(f"slipway_rollout_phase{{{MODEL}}}", "{{phase}}"))
    )
    made.with_panel(
        word(
            "Strategy",
            "How a new revision takes over.",
            Query(f"slipway_rollout_phase{{{MODEL}}}", "{{strategy}}"),
        )
    )
    made.with_panel(
        number(
            "Step",
            "Index of the step that it is at, from 0, as it last was.",
            "none",
            Query(f"last_over_time(slipway_rollout_step{{{MODEL}}}[$__range])"),
        )
    )
    made.with_panel(
        number(
            "Steps",
            "How many steps there are.",
            "none",
            Query(f"last_over_time(slipway_rollout_steps{{{MODEL}}}[$__range])"),
        )
    )
    made.with_panel(
        number(
            "Stable revision's share",
            "Share of the users' requests that the stable revision answers.",
            "percentunit",
            Query(f'sum(slipway_rollout_weight_ratio{{{MODEL}, role="stable"}})'),
        )
    )
    made.with_panel(
        number(
            "Rollbacks",
            "Rollouts that were rolled back in the namespace, since the operator started.",
            "none",
            Query('sum(slipway_rollbacks_total{namespace="$namespace"}) or vector(0)'),
            steps=below(1, 5),
        )
    )


def _side_by_side(made: Dashboard) -> None:
    made.with_row(Row("Stable and new revision"))
    made.with_panel(
        graph(
            "Weights",
            "Share of the requests that each revision is to get.",
            "percentunit",
            Query(
                f"max by (role, revision) (slipway_rollout_weight_ratio{{{MODEL}}})",
                "{{role}} {{revision}}",
            ),
        )
    )
    made.with_panel(
        graph(
            "Requests",
            "Requests a second that each revision did get.",
            "reqps",
            Query(
                f"sum by (revision) (rate(envoy_cluster_upstream_rq_completed{{{OWN}}}[{RATE}]))",
                "{{revision}}",
            ),
        )
    )
    made.with_panel(
        graph(
            "Errors",
            "Share of each revision's answers that are a server error.",
            "percentunit",
            Query(
                f"slipway:errors:rate5m{{{MODEL}}} / (slipway:requests:rate5m{{{MODEL}}} > 0)",
                "{{revision}}",
            ),
            steps=below(0.001, 0.01),
        )
    )
    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        made.with_panel(
            graph(
                f"Time of an answer, {name}",
                f"Within which {share * 100:g} % of each revision's requests were answered.",
                "s",
                Query(
                    f"histogram_quantile({share}, sum by (revision, le) "
                    f"(rate(envoy_cluster_upstream_rq_time_bucket{{{OWN}}}[{RATE}]))) / 1000",
                    "{{revision}}",
                ),
            )
        )


def _verdicts(made: Dashboard) -> None:
    made.with_row(Row("Analysis and verdicts"))
    made.with_panel(
        graph(
            "Measured",
            "Each metric of the analysis as last measured, of the new revision and the stable one.",
            "short",
            Query(
                f"max by (metric, role) (slipway_analysis_value{{{MODEL}}})", "{{metric}} {{role}}"
            ),
            least=None,
        )
    )
    made.with_panel(
        graph(
            "Measurements",
            "Measurements in an hour, by what they say of the new revision.",
            "none",
            Query(
                "sum by (verdict) "
                '(increase(slipway_analysis_measurements_total{namespace="$namespace"}[1h]))',
                "{{verdict}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Verdicts",
            "Analyses of the namespace that came to a verdict in an hour.",
            "none",
            Query(
                "sum by (verdict) "
                '(increase(slipway_analysis_verdicts_total{namespace="$namespace"}[1h]))',
                "{{verdict}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Smoke tests",
            "New pods of the namespace in an hour that passed or failed their smoke test.",
            "none",
            Query(
                "sum by (result) "
                '(increase(slipway_gate_results_total{namespace="$namespace"}[1h]))',
                "{{result}}",
            ),
            stacked=True,
        )
    )


def _outcomes(made: Dashboard) -> None:
    made.with_panel(
        graph(
            "Rollouts ended",
            "Rollouts of the namespace that ended in an hour, by strategy and result.",
            "none",
            Query(
                "sum by (strategy, result) "
                '(increase(slipway_rollout_duration_seconds_count{namespace="$namespace"}[1h]))',
                "{{strategy}} {{result}}",
            ),
            stacked=True,
        )
    )
    made.with_panel(
        graph(
            "Rollout duration",
            "From a new revision to the end of its rollout, on average since the operator started.",
            "s",
            Query(
                "sum by (strategy, result) "
                '(slipway_rollout_duration_seconds_sum{namespace="$namespace"}) '
                "/ sum by (strategy, result) "
                '(slipway_rollout_duration_seconds_count{namespace="$namespace"})',
                "{{strategy}} {{result}}",
            ),
        )
    )
    made.with_panel(
        listing(
            "Rollbacks",
            "Why rollouts of the namespace were rolled back, since the operator started.",
            {"namespace": "Namespace", "reason": "Reason", "Value": "Rollbacks"},
            Query('sum by (namespace, reason) (slipway_rollbacks_total{namespace="$namespace"})'),
            span=24,
        )
    )
