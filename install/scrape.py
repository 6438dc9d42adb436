"""PodMonitors as the configuration of a Prometheus that has no operator.

What each field becomes follows prometheus-operator's pkg/prometheus/promcfg.go
(generatePodMonitorConfig); only the fields that the chart uses are known here.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

Object = dict[str, Any]
META = "__meta_kubernetes_pod"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path, not a secret
"""Where a Prometheus in a pod has the token of its own service account."""
_LIMITS = (
    *("sampleLimit", "labelLimit", "labelNameLengthLimit", "labelValueLengthLimit"),
    "bodySizeLimit",
)
"""Fields of a PodMonitor that bound what a scrape may bring."""
HEAD = """\
# What a Prometheus without the Prometheus Operator is to scrape. Generated from the chart's
# PodMonitors by `make manifests`; do not edit. Name it under scrape_config_files, or copy the jobs.
"""


def configuration(rendered: str) -> str:
    """Return a file of scrape_configs for all PodMonitors in the YAML text of a release."""
    found = [each for each in yaml.safe_load_all(rendered) if each]
    monitors = [each for each in found if each["kind"] == "PodMonitor"]
    jobs = [job for monitor in monitors for job in _jobs(monitor)]
    return HEAD + str(yaml.safe_dump({"scrape_configs": jobs}, sort_keys=False, width=100))


def _jobs(monitor: Object) -> Iterator[Object]:
    spec = monitor["spec"]
    for endpoint in spec["podMetricsEndpoints"]:
        relabelings = [_snake(each) for each in endpoint.get("relabelings", ())]
        job: Object = {
            "job_name": next(
                r["replacement"] for r in relabelings if r.get("target_label") == "job"
            ),
            "scrape_interval": endpoint["interval"],
            "metrics_path": endpoint["path"],
            "honor_labels": endpoint.get("honorLabels", False),
            **{_spelled(field): spec[field] for field in _LIMITS if field in spec},
            "kubernetes_sd_configs": [_discovery(monitor)],
            "relabel_configs": [*_selection(spec, endpoint), *relabelings],
        }
        if authorization := endpoint.get("authorization"):
            job["authorization"] = {"type": authorization["type"], "credentials_file": TOKEN}
        if kept := endpoint.get("metricRelabelings"):
            job["metric_relabel_configs"] = [_snake(each) for each in kept]
        yield job


def _discovery(monitor: Object) -> Object:
    wanted = monitor["spec"].get("namespaceSelector", {})
    names = (
        [] if wanted.get("any") else wanted.get("matchNames", [monitor["metadata"]["namespace"]])
    )
    return {"role": "pod", **({"namespaces": {"names": names}} if names else {})}


def _selection(spec: Object, endpoint: Object) -> Iterator[Object]:
    yield {"source_labels": [f"{META}_phase"], "action": "drop", "regex": "(Failed|Succeeded)"}
    for label, value in sorted(spec["selector"]["matchLabels"].items()):
        source = [f"{META}_label_{re.sub('[^a-zA-Z0-9_]', '_', label)}"]
        yield {"source_labels": source, "action": "keep", "regex": re.escape(value)}
    port = [f"{META}_container_port_name"]
    yield {"source_labels": port, "action": "keep", "regex": endpoint["port"]}
    yield {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"}
    yield {"source_labels": [f"{META}_container_name"], "target_label": "container"}
    yield {"source_labels": [f"{META}_name"], "target_label": "pod"}


def _snake(relabeling: Object) -> Object:
    """Return a relabeling with its fields in Prometheus' spelling."""
    return {_spelled(key): value for key, value in relabeling.items()}


def _spelled(field: str) -> str:
    return re.sub("([A-Z])", lambda m: f"_{m[0].lower()}", field)
