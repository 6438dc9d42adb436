"""Every query of every panel and rule, asked of a Prometheus that scrapes the cluster at work."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.prometheus import RULES
from install.dashboards import files
from tests.cluster import scenery
from tests.cluster.conftest import Quickstart
from tests.cluster.support import QUICKSTART, ROOT, Space, load_json
from tests.harness import Object
from tests.harness.prometheus import Prometheus, Series
from tests.harness.waiting import wait_for

pytestmark = pytest.mark.cluster

DASHBOARDS = {name.removesuffix(".json"): json.loads(text) for name, text in files().items()}
PICTURES = ROOT / "docs" / "dashboards"
MEANS = {"$__rate_interval": "20s", "$__range": "15m", "$__interval": "5s"}
"""What Grafana would put for its own variables, at a scrape every two seconds."""


@pytest.fixture(scope="module")
def judgment(quickstart: Quickstart, shared: Space) -> Object:
    """The analysis of a canary, while a job trains, one fails and a deployment stalls."""
    body = load_json(QUICKSTART / "src" / "request.json")
    scenery.train(shared)
    scenery.stall(shared)
    return scenery.roll_out(shared, quickstart, body)


@pytest.fixture(scope="module")
def scene(prometheus: Prometheus, judgment: Object, shared: Space) -> Prometheus:
    """A Prometheus that has seen the quickstart, a canary, a failure and a stall."""
    del judgment
    shared.wait_for_phase("trained", "Succeeded")
    shared.wait_for_phase("fails", "Failed")
    prometheus.wait_until_scraped()
    return prometheus


@pytest.fixture(scope="module")
def spaces(quickstart: Quickstart, shared: Space) -> set[str]:
    """The namespaces of the scene; Prometheus knows those of all other tests too."""
    return {quickstart.space.name, shared.name}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def choices(
    prometheus: Prometheus, dashboard: dict[str, Any], spaces: set[str]
) -> list[dict[str, str]]:
    """Return all that one may choose for a dashboard's variables, by asking as Grafana does.

    A variable's values are those beside what was chosen for the variables before it; of the
    namespaces only these are chosen.
    """
    found: list[dict[str, str]] = [{}]
    for variable in dashboard["templating"]["list"][1:]:
        series, label = variable["query"]["query"][len("label_values(") : -1].rsplit(", ", 1)
        every = [variable["allValue"]] if variable.get("includeAll") else None
        found = [
            {**chosen, variable["name"]: value}
            for chosen in found
            for value in every or prometheus.values(label, filled(series, chosen))
            if variable["name"] != "namespace" or every or value in spaces
        ]
    assert found, dashboard["title"]
    return found


def filled(expression: str, chosen: dict[str, str]) -> str:
    for name, value in {**MEANS, **{f"${name}": value for name, value in chosen.items()}}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


ABSENT = ("envoy_cluster_grpc", "slipway_models_refused_total", "slipway_outlined_objects")
"""Series of which the quickstart has none: Envoy's where a server speaks gRPC (`tests.unit.envoy`
has one that does), models that were refused (`tests.unit.telemetry`), and objects for which a
namespace has no room left (`tests.contract.operator.test_hostile_objects`)."""


def is_absent(expression: str) -> bool:
    return any(name in expression for name in ABSENT)


def wait_until_none(empty: Callable[[], list[str]]) -> None:
    """Wait until nothing is without data: what a status says is counted and scraped later."""
    wait_for(lambda: not empty(), 180, "all have data", lambda: str(empty()))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_every_panel_returns_data(
    scene: Prometheus, spaces: set[str], name: str
) -> None:
    def empty() -> list[str]:
        every = choices(scene, DASHBOARDS[name], spaces)
        return [
            f"{panel['title']}: {target['expr']}"
            for panel in panels(DASHBOARDS[name])
            for target in panel["targets"]
            if not is_absent(target["expr"])
            and not any(scene.range(filled(target["expr"], chosen)) for chosen in every)
        ]

    wait_until_none(empty)


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def test_every_recording_rule_returns_data(scene: Prometheus) -> None:
    records = [rule["record"] for rule in rules() if "record" in rule]
    wait_until_none(lambda: [record for record in records if not scene.range(record)])


def _without_data(prometheus: Prometheus, names: set[str]) -> list[str]:
    return [name for name in names if not prometheus.range(name)]


def test_every_alert_has_data_to_judge_by(scene: Prometheus) -> None:
    """Where all is well an alert's expression is empty, but what it looks at is there."""
    for alert in (rule for rule in rules() if "alert" in rule):
        if not is_absent(alert["expr"]) and not scene.range(alert["expr"]):
            names = scene.names(alert["expr"])
            wait_until_none(partial(_without_data, scene, names))


def test_prometheus_evaluates_all_rules_without_an_error(scene: Prometheus) -> None:
    found = [rule for group in scene.get("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(list(rules()))
    assert [rule for rule in found if rule["health"] != "ok"] == []


def test_the_failure_and_the_rollback_set_off_their_alerts(scene: Prometheus) -> None:
    def firing() -> set[str]:
        found = scene.range('ALERTS{alertstate="firing"}')
        return {each["metric"]["alertname"] for each in found}

    wanted = {"SlipwayTrainingJobFailed", "SlipwayRolloutRolledBack"}
    wait_for(lambda: wanted <= firing(), 240, f"{wanted} fire", lambda: str(firing()))


def test_an_analysis_goes_by_a_query_of_a_real_prometheus(judgment: Object) -> None:
    """It names no address: the operator's own is asked, about this revision alone."""
    (asked,) = (one for one in judgment["measurements"] if one["name"] == "asked")
    assert (judgment["successful"], asked["verdict"]) == (2, "Successful"), judgment
    assert 1 < float(asked["value"]) < 12, "half of the 15 requests a second go to the canary"


def test_envoys_and_torchserves_series_have_one_set_of_labels(scene: Prometheus) -> None:
    wanted = {"namespace", "deployment", "revision", "model"}
    for name in ("envoy_cluster_upstream_rq_completed", "ts_inference_requests_total"):
        for series in scene.range(name):
            assert wanted <= series["metric"].keys(), series["metric"]
            assert all(series["metric"][label] for label in wanted)


def test_the_operators_series_are_about_the_namespaces_of_its_objects(
    scene: Prometheus, quickstart: Quickstart
) -> None:
    namespaces = scene.values("namespace", "slipway_training_job_phase")
    assert quickstart.space.name in namespaces
    assert "slipway-system" not in namespaces


@pytest.mark.long
def test_each_dashboard_is_drawn_from_real_answers(
    scene: Prometheus, spaces: set[str], tmp_path: Path
) -> None:
    """``UPDATE_PICTURES=1`` draws those of the documentation anew."""
    from docs import pictures  # only here, for it takes seconds to import

    folder = PICTURES if os.environ.get("UPDATE_PICTURES") else tmp_path
    for name, dashboard in DASHBOARDS.items():
        chosen = _fullest(scene, dashboard, spaces)
        drawn = pictures.draw(dashboard, partial(_answer, scene, chosen), chosen)
        path = folder / f"{name}.png"
        drawn.save(path)
        assert path.stat().st_size > 20_000


def _answer(prometheus: Prometheus, chosen: dict[str, str], query: str) -> list[Series]:
    return prometheus.range(filled(query, chosen))


def _fullest(prometheus: Prometheus, dashboard: dict[str, Any], spaces: set[str]) -> dict[str, str]:
    """Return the choice of variables that fills most panels."""

    def shown(chosen: dict[str, str]) -> int:
        queries = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
        return sum(bool(prometheus.range(filled(query, chosen), 15)) for query in queries)

    return max(choices(prometheus, dashboard, spaces), key=shown)
