"""The dashboards are what Grafana takes, and say what they show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.prometheus import RULES
from install.dashboards import ALL, files
from install.generate import CHART
from tests.chart.grafana import faults
from tests.chart.promtool import promtool
from tests.chart.rendering import render

DASHBOARDS = {name: json.loads(text) for name, text in files().items()}
every_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield from panel.get("panels") or ()
        if panel["type"] != "row":
            yield panel


@every_dashboard
def test_a_dashboard_fits_grafanas_schema(name: str) -> None:
    assert faults(DASHBOARDS[name]) == []


def test_the_schema_finds_what_grafana_would_not_take() -> None:
    wrong = json.loads(json.dumps(DASHBOARDS["fleet.json"]))
    wrong["refreshh"] = "30s"
    wrong["panels"][1]["title"] = 7
    wrong["panels"][1]["options"]["colorMode"] = "loud"
    wrong["panels"][1]["targets"][0]["expression"] = "up"
    found = "\n".join(faults(wrong))
    for place in ("refreshh", "title", "color_mode", "expression"):
        assert place in found


@every_dashboard
def test_each_panel_has_a_title_a_description_a_unit_and_thresholds(name: str) -> None:
    found = list(panels(DASHBOARDS[name]))
    assert len({(panel["title"], panel["type"]) for panel in found}) == len(found)
    for panel in found:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert panel["targets"], panel["title"]


@every_dashboard
def test_everything_is_asked_of_the_chosen_data_source(name: str) -> None:
    for panel in panels(DASHBOARDS[name]):
        for part in (panel, *panel["targets"]):
            assert part["datasource"]["uid"] == "${datasource}"
    variables = DASHBOARDS[name]["templating"]["list"]
    assert variables[0]["type"] == "datasource"
    for variable in variables[1:]:
        assert variable["datasource"]["uid"] == "${datasource}"


@every_dashboard
def test_the_dashboards_lead_to_one_another(name: str) -> None:
    (link,) = DASHBOARDS[name]["links"]
    assert (link["type"], link["includeVars"], link["keepTime"]) == ("dashboards", True, True)
    assert link["tags"] == DASHBOARDS[name]["tags"] == ["slipway"]
    uids = {each["uid"] for each in DASHBOARDS.values()}
    for panel in panels(DASHBOARDS[name]):
        for override in panel["fieldConfig"].get("overrides") or ():
            for target in override["properties"][0]["value"]:
                assert target["url"].split("?")[0].removeprefix("/d/") in uids


@every_dashboard
def test_panels_lie_side_by_side_and_never_over_one_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        at = panel["gridPos"]
        columns = range(at.get("x", 0), at.get("x", 0) + at["w"])
        cells = {(x, y) for x in columns for y in range(at["y"], at["y"] + at["h"])}
        assert max(columns) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_chart_brings_each_dashboard_for_grafanas_sidecar() -> None:
    release = render({"metrics": {"dashboards": {"annotations": {"grafana_folder": "Slipway"}}}})
    made = {name.removeprefix("slipway-dashboard-") for name in release.names("ConfigMap")}
    assert made == ALL.keys()
    for name in made:
        found = release.one("ConfigMap", f"slipway-dashboard-{name}")
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Slipway"}
        assert json.loads(found["data"][f"slipway-{name}.json"]) == DASHBOARDS[f"{name}.json"]
    assert not render({"metrics": {"dashboards": {"enabled": False}}}).of("ConfigMap")


def expressions() -> Iterator[str]:
    for dashboard in DASHBOARDS.values():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield target["expr"].replace("$__rate_interval", "5m").replace("$__range", "6h")


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": expr} for number, expr in enumerate(expressions())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(file))


def _groups(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text())["groups"]
    return found


def test_every_series_that_is_asked_for_is_in_the_reference() -> None:
    reference = (CHART.parents[1] / "docs" / "reference.md").read_text()
    known = set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE))
    groups = [group for path in RULES.glob("*.yaml") for group in _groups(path)]
    text = "\n".join([*expressions(), *(r["expr"] for g in groups for r in g["rules"])])
    asked = set(re.findall(r"\b(?:slipway|envoy|ts|process)_\w+", text))
    labels = {"envoy_cluster_name", "envoy_http_conn_manager_prefix", "envoy_route"}
    labels |= {"envoy_response_code_class", "slipway_grpc_code"}
    names = {re.sub("_(bucket|sum|count)$", "", name) for name in asked - labels}
    assert {name for name in names if not name.startswith("process_")} <= known
