"""Each alert fires when it should and is silent when it should be, by promtool's own account."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dev.prometheus import RULES
from install.generate import CHART
from slipway.envoy.bootstrap import ANSWER_TIME_BUCKETS
from tests.chart.alert_cases import CASES, Case
from tests.chart.promtool import promtool
from tests.chart.rendering import render

RULE_KIND = "monitoring.coreos.com/v1/PrometheusRule"

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
NEEDED = {"summary", "description", "runbook_url"}


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]:
        yield from group["rules"]


def _test(case: Case, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    names = {"alertname": case.alert, "alertstate": "firing", "severity": case.severity}
    labels = ", ".join(f'{key}="{value}"' for key, value in {**names, **case.labels}.items())
    chosen = f'ALERTS{{alertname="{case.alert}", alertstate="firing", severity="{case.severity}"}}'
    expected = [{"labels": f"ALERTS{{{labels}}}", "value": 1}] if fires else []
    return {
        "name": f"{case.title} {'fires' if fires else 'is silent'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": chosen, "eval_time": f"{case.minutes}m", "exp_samples": expected}
        ],
    }


def test_each_alert_fires_and_is_silenced(tmp_path: Path) -> None:
    tests = [
        _test(case, series, fires=fires)
        for case in CASES
        for series, fires in ((case.bad, True), (case.good, False))
    ]
    whole = {
        "rule_files": [str(path) for path in sorted(RULES.glob("*.yaml"))],
        "evaluation_interval": "1m",
        "tests": tests,
    }
    file = tmp_path / "cases.yaml"
    file.write_text(yaml.safe_dump(whole))
    promtool("test", "rules", str(file))


def test_every_alert_has_a_case_of_each_severity() -> None:
    wanted = {(alert["alert"], alert["labels"]["severity"]) for alert in alerts()}
    assert {(case.alert, case.severity) for case in CASES} == wanted


def test_every_alert_says_what_it_is_and_where_its_runbook_is() -> None:
    for alert in alerts():
        assert alert["annotations"].keys() == NEEDED, alert["alert"]
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert alert["annotations"]["runbook_url"].endswith(f"/{alert['alert']}")
        assert (RUNBOOKS / f"{alert['alert']}.md").is_file(), alert["alert"]


def test_every_runbook_is_of_an_alert_and_says_what_to_look_at_and_do() -> None:
    names = {alert["alert"] for alert in alerts()}
    pages = {page.stem: page.read_text() for page in RUNBOOKS.glob("Slipway*.md")}
    assert pages.keys() == names
    for name, text in pages.items():
        assert text.startswith(f"# {name}\n")
        for section in ("## What it means", "## Look", "## Do"):
            assert section in text, f"{name} lacks {section}"


def test_prometheus_accepts_the_rules() -> None:
    files = sorted(map(str, RULES.glob("*.yaml")))
    promtool("check", "rules", "--lint-fatal", *files)


def _made(**rules: Any) -> dict[str, dict[str, Any]]:
    release = render({"metrics": {"rules": rules}}, apis=[RULE_KIND])
    (rule,) = release.of("PrometheusRule")
    return {
        each.get("alert") or each["record"]: each
        for g in rule["spec"]["groups"]
        for each in g["rules"]
    }


def test_the_charts_rules_are_those_of_the_files() -> None:
    records = yaml.safe_load((RULES / "recording.yaml").read_text())["groups"]
    names = {rule["record"] for group in records for rule in group["rules"]}
    made = _made()
    assert made.keys() == names | {alert["alert"] for alert in alerts()}
    for alert in alerts():
        summary = made[alert["alert"]]["annotations"]["summary"]
        assert ("{{" in summary) == ("{{" in alert["annotations"]["summary"])
    assert made["slipway:objective_error_ratio"]["expr"] == "vector(0.001)"
    assert made["slipway:objective_slow_ratio"]["expr"] == "vector(0.01)"


def test_objectives_and_the_address_of_the_runbooks_can_be_set() -> None:
    wanted = {"availability": 0.995, "latencyRatio": 0.95, "latencyMilliseconds": 250}
    made = _made(objectives=wanted, runbookBaseUrl="https://wiki.example.com/slipway")
    assert made["slipway:objective_error_ratio"]["expr"] == "vector(0.005)"
    assert made["slipway:objective_slow_ratio"]["expr"] == "vector(0.05)"
    assert 'le=~"250([.]0)?"' in made["slipway:slow_ratio:rate5m"]["expr"]
    url = made["SlipwayWatchStale"]["annotations"]["runbook_url"]
    assert url == "https://wiki.example.com/slipway/SlipwayWatchStale"


def test_rules_are_made_only_where_the_kind_exists_and_they_are_wanted() -> None:
    assert not render().of("PrometheusRule")
    unwanted = {"metrics": {"rules": {"enabled": False}}}
    assert not render(unwanted, apis=[RULE_KIND]).of("PrometheusRule")


def test_the_bound_of_the_latency_objective_is_one_of_envoys_buckets() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    rules = schema["properties"]["metrics"]["properties"]["rules"]["properties"]
    bounds = rules["objectives"]["properties"]["latencyMilliseconds"]["enum"]
    assert set(bounds) <= set(ANSWER_TIME_BUCKETS)
