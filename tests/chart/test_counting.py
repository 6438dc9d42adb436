"""Queries that add up the counters of two slots count each user's request once, says promtool."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.prometheus import RULES
from install.dashboards import files
from tests.chart.promtool import promtool

OF = 'namespace="ml", deployment="iris"'
STABLE, CANDIDATE = f'{OF}, revision="a", model="iris"', f'{OF}, revision="b", model="iris"'
USERS = 'envoy_http_conn_manager_prefix="http"'
OWN, OTHER = 'envoy_cluster_name="torchserve"', 'envoy_cluster_name="other"'
FORWARDED = 'envoy_route="forwarded"'


def _code(digit: int) -> str:
    return f'envoy_response_code_class="{digit}"'


CANARY = {
    # Users ask the stable pod 600 times a minute and get 12 errors, of which one is its own; a
    # third is handed to the candidate, which is asked by nobody else.
    f"envoy_http_downstream_rq_xx{{{STABLE}, {USERS}, {_code(2)}}}": "0+588x30",
    f"envoy_http_downstream_rq_xx{{{STABLE}, {USERS}, {_code(5)}}}": "0+12x30",
    f"envoy_http_downstream_rq_xx{{{CANDIDATE}, {USERS}, {_code(2)}}}": "0+189x30",
    f"envoy_http_downstream_rq_xx{{{CANDIDATE}, {USERS}, {_code(5)}}}": "0+11x30",
    f"envoy_vhost_route_upstream_rq_xx{{{CANDIDATE}, {FORWARDED}, {_code(2)}}}": "0+189x30",
    f"envoy_vhost_route_upstream_rq_xx{{{CANDIDATE}, {FORWARDED}, {_code(5)}}}": "0+11x30",
    f"envoy_cluster_upstream_rq_completed{{{STABLE}, {OWN}}}": "0+400x30",
    f"envoy_cluster_upstream_rq_completed{{{STABLE}, {OTHER}}}": "0+200x30",
    f"envoy_cluster_upstream_rq_completed{{{CANDIDATE}, {OWN}}}": "0+200x30",
    f"envoy_cluster_upstream_rq_xx{{{STABLE}, {OWN}, {_code(5)}}}": "0+1x30",
    f"envoy_cluster_upstream_rq_xx{{{STABLE}, {OTHER}, {_code(5)}}}": "0+11x30",
    f"envoy_cluster_upstream_rq_xx{{{CANDIDATE}, {OWN}, {_code(5)}}}": "0+11x30",
    # Five are being answered, two of them by the candidate.
    f"envoy_http_downstream_rq_active{{{STABLE}, {USERS}}}": "5x30",
    f"envoy_http_downstream_rq_active{{{CANDIDATE}, {USERS}}}": "2x30",
    f"envoy_cluster_upstream_rq_active{{{STABLE}, {OTHER}}}": "2x30",
}
ALONE = {
    series: values
    for series, values in CANARY.items()
    if series.startswith("envoy_http") and 'revision="a"' in series
}
"""A pod that no rollout has ever met: Envoy makes counters when there is something to count."""


def _panel(title: str) -> str:
    """Return the query of a panel of the dashboard Serving, as Grafana would fill it in."""
    panels = json.loads(files()["serving.json"])["panels"]
    (expr,) = (
        target["expr"]
        for panel in panels
        if panel["title"] == title and panel["type"] in ("timeseries", "stat")
        for target in panel["targets"]
        if "downstream" in target["expr"]
    )
    filled = {"$namespace": "ml", "$deployment": "iris", "$__rate_interval": "5m"}
    for name, value in filled.items():
        expr = expr.replace(name, value)
    return str(expr)


def _is(expr: str, *values: float, label: str = "") -> dict[str, Any]:
    """Return what promtool is to find: a value, or one for each class of codes, from 2xx on."""
    samples = [
        {"labels": f'{{{label}="{name}"}}' if label else "{}", "value": value}
        for name, value in zip((2, 5), values, strict=False)
    ]
    return {"expr": f"round({expr}, 0.001)", "eval_time": "20m", "exp_samples": samples}


def _holds(tmp_path: Path, series: dict[str, str], *expected: dict[str, Any]) -> None:
    """Fail unless promtool finds what is expected."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": row} for name, row in series.items()],
        "promql_expr_test": list(expected),
    }
    whole = {"rule_files": [str(RULES / "recording.yaml")], "evaluation_interval": "1m"}
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump({**whole, "tests": [test]}))
    promtool("test", "rules", str(file))


def test_the_dashboard_counts_an_answer_that_one_slot_fetched_from_the_other_once(
    tmp_path: Path,
) -> None:
    _holds(
        tmp_path,
        CANARY,
        _is(_panel("Responses by code"), 9.8, 0.2, label="envoy_response_code_class"),
        _is(_panel("In flight"), 5),
    )


def test_the_dashboard_counts_the_answers_of_a_deployment_that_never_had_a_candidate(
    tmp_path: Path,
) -> None:
    _holds(
        tmp_path,
        ALONE,
        _is(_panel("Responses by code"), 9.8, 0.2, label="envoy_response_code_class"),
        _is(_panel("In flight"), 5),
    )


def test_the_recorded_rates_count_each_request_once_where_it_was_answered(tmp_path: Path) -> None:
    _holds(
        tmp_path,
        CANARY,
        _is("sum(slipway:requests:rate5m)", 10),
        _is('sum(slipway:requests:rate5m{revision="b"})', 3.333),
        _is("sum(slipway:errors:rate5m)", 0.2),
        _is("sum(slipway:error_ratio:rate5m)", 0.02),
    )


def grpc(code: int) -> str:
    return f'envoy_cluster_grpc{{{CANDIDATE}, {OWN}, slipway_grpc_code="{code}"}}'


@pytest.mark.parametrize(
    ("by_http", "by_grpc", "faults"),
    [
        # Of 200 calls a minute 20 fail by the server's fault, and 30 by their clients'.
        (None, {0: 150, 3: 30, 13: 20}, 20),
        # Envoy itself answers 14 (UNAVAILABLE), which is 503 to it: each counts once.
        (30, {0: 150, 13: 20, 14: 30}, 50),
        # What asks a server of gRPC by plain HTTP has no code of gRPC's.
        (40, {0: 150, 13: 20}, 40),
    ],
)
def test_calls_of_grpc_that_failed_by_the_servers_fault_are_errors(
    tmp_path: Path, by_http: int | None, by_grpc: dict[int, int], faults: int
) -> None:
    series = {
        f"envoy_cluster_upstream_rq_completed{{{CANDIDATE}, {OWN}}}": "0+200x30",
        **{grpc(code): f"0+{count}x30" for code, count in by_grpc.items()},
    }
    if by_http is not None:
        http = f"envoy_cluster_upstream_rq_xx{{{CANDIDATE}, {OWN}, {_code(5)}}}"
        series[http] = f"0+{by_http}x30"
    _holds(
        tmp_path,
        series,
        _is("sum(slipway:errors:rate5m)", round(faults / 60, 3)),
        *(
            _is(f"sum(slipway:error_ratio:rate{window})", faults / 200)
            for window in ("5m", "30m", "1h", "6h")
        ),
    )
