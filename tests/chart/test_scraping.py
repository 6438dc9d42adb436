"""What Prometheus is told to scrape, with and without its operator."""

from typing import Any

import pytest
import yaml

from install.generate import PROMETHEUS
from install.scrape import configuration
from tests.chart.promtool import promtool
from tests.chart.rendering import env, render
from tests.chart.value_sets import POD_MONITOR

SERVING_LABELS = {"deployment", "revision", "model"}


def jobs() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
    return {job["job_name"]: job for job in found}


def targets(job: dict[str, Any]) -> set[str]:
    return {each["target_label"] for each in job["relabel_configs"] if "target_label" in each}


def test_envoy_and_torchserve_get_the_same_labels() -> None:
    envoy, torchserve = jobs()["slipway-envoy"], jobs()["slipway-torchserve"]
    assert targets(envoy) == targets(torchserve) >= SERVING_LABELS | {"namespace", "pod"}
    assert (envoy["metrics_path"], torchserve["metrics_path"]) == (
        "/metrics",
        "/metrics/torchserve",
    )


def test_the_operators_series_keep_the_namespace_that_they_are_about() -> None:
    assert jobs()["slipway-operator"]["honor_labels"] is True
    others = jobs().keys() - {"slipway-operator"}
    assert not any(jobs()[name]["honor_labels"] for name in others)


def test_only_the_namespaces_that_are_served_are_looked_at() -> None:
    namespaces = ["team-a", "team-b"]
    release = render({"watchNamespaces": namespaces}, apis=[POD_MONITOR])
    for name in ("slipway-training", "slipway-serving"):
        wanted = release.one("PodMonitor", name)["spec"]["namespaceSelector"]
        assert wanted == {"matchNames": namespaces}
    assert "namespaceSelector" not in release.one("PodMonitor", "slipway")["spec"]


def test_prometheus_sends_its_own_token_to_the_operator_and_to_no_other_pod() -> None:
    sends = {name: job["authorization"] for name, job in jobs().items() if "authorization" in job}
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert sends == {"slipway-operator": {"type": "Bearer", "credentials_file": token}}


LIMITS = {"sample_limit", "label_limit", "label_name_length_limit"} | {
    *("label_value_length_limit", "body_size_limit"),
}


def test_a_page_that_a_user_may_have_written_is_bounded() -> None:
    for name in jobs().keys() - {"slipway-operator", "slipway-store"}:
        assert jobs()[name].keys() >= LIMITS


def test_a_limit_that_a_prometheus_operator_does_not_know_can_be_left_out() -> None:
    limits = {"metrics": {"podMonitor": {"limits": {"bodySizeLimit": None}}}}
    release = render(limits, apis=[POD_MONITOR])
    spec = release.one("PodMonitor", "slipway-serving")["spec"]
    assert "bodySizeLimit" not in spec
    assert spec["sampleLimit"] == 5000


def test_prometheus_takes_the_configuration() -> None:
    promtool("check", "config", "--syntax-only", str(PROMETHEUS))


def test_a_pod_monitor_becomes_a_job_of_the_same_meaning() -> None:
    monitor = {
        "kind": "PodMonitor",
        "metadata": {"name": "m", "namespace": "here"},
        "spec": {
            "selector": {"matchLabels": {"example.com/part": "a.b"}},
            "podMetricsEndpoints": [
                {
                    "port": "web",
                    "path": "/m",
                    "interval": "5s",
                    "relabelings": [{"targetLabel": "job", "replacement": "mine"}],
                    "metricRelabelings": [{"sourceLabels": ["__name__"], "action": "keep"}],
                }
            ],
        },
    }
    (job,) = yaml.safe_load(configuration(yaml.safe_dump(monitor)))["scrape_configs"]
    assert job["job_name"] == "mine"
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["here"]}}]
    kept = [each for each in job["relabel_configs"] if each.get("action") == "keep"]
    assert kept[0]["source_labels"] == ["__meta_kubernetes_pod_label_example_com_part"]
    assert [each["regex"] for each in kept] == [r"a\.b", "web"]
    assert job["metric_relabel_configs"] == [{"source_labels": ["__name__"], "action": "keep"}]


@pytest.mark.parametrize(
    ("wish", "apis", "annotated"),
    [
        ("auto", [], True),
        ("auto", [POD_MONITOR], False),
        ("always", [POD_MONITOR], True),
        ("never", [], False),
    ],
)
def test_pods_are_annotated_where_no_pod_monitor_finds_them(
    wish: str, apis: list[str], annotated: bool
) -> None:
    for secure in (True, False):
        release = render({"metrics": {"scrapeAnnotations": wish, "secure": secure}}, apis=apis)
        pod = release.one("Deployment", "slipway")["spec"]["template"]
        told = env(pod["spec"]["containers"][0])["SLIPWAY_SCRAPE_ANNOTATIONS"]
        assert told == str(annotated).lower()
        operators = "prometheus.io/scrape" in pod["metadata"]["annotations"]
        assert operators is (annotated and not secure), "who goes by annotations has no token"
