"""The table of all metrics, for docs/reference.md: from the code that serves them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from slipway.controller.gauges import Sources, add_gauges
from slipway.telemetry.metrics import Metrics
from slipway_pods.agent import metrics as runtime_metrics

Row = tuple[str, ...]
HEAD: Row = ("name", "type", "labels", "served by", "meaning")
JOB_LABELS = "namespace, training_job, index"
DEPLOYMENT_LABELS = "namespace, deployment, revision, model"

ENVOY = (
    (
        "envoy_cluster_upstream_rq_completed",
        "counter",
        "envoy_cluster_name",
        "Answers, by upstream cluster: `torchserve` is the pod's own server.",
    ),
    (
        "envoy_cluster_upstream_rq_xx",
        "counter",
        "envoy_cluster_name, envoy_response_code_class",
        "Answers by upstream cluster and class of their code.",
    ),
    (
        "envoy_cluster_upstream_rq_time",
        "histogram",
        "envoy_cluster_name, le",
        "Time of an answer in milliseconds, by upstream cluster.",
    ),
    (
        "envoy_cluster_upstream_rq_active",
        "gauge",
        "envoy_cluster_name",
        "Requests in flight, by upstream cluster.",
    ),
    (
        "envoy_cluster_grpc",
        "counter",
        "envoy_cluster_name, slipway_grpc_code",
        "Answers of a server that speaks gRPC, by gRPC's code: 0 is good, and 2, 4, 12, 13, 14 and "
        "15 are the server's fault. Their HTTP code is always 200.",
    ),
    (
        "envoy_cluster_upstream_rq_pending_overflow",
        "counter",
        "envoy_cluster_name",
        "Requests that were refused because too many waited.",
    ),
    (
        "envoy_cluster_upstream_rq_retry_limit_exceeded",
        "counter",
        "envoy_cluster_name",
        "Requests that failed because no connection could be made, however often.",
    ),
    (
        "envoy_cluster_upstream_cx_destroy_remote_with_active_rq",
        "counter",
        "envoy_cluster_name",
        "Requests that failed because the server ended the connection.",
    ),
    (
        "envoy_cluster_upstream_rq_timeout",
        "counter",
        "envoy_cluster_name",
        "Requests that were not answered in time.",
    ),
    (
        "envoy_http_downstream_rq_xx",
        "counter",
        "envoy_response_code_class",
        "Answers by class of their code; `http` is the users' listener, where requests that the "
        "other slot forwarded come in too.",
    ),
    (
        "envoy_vhost_route_upstream_rq_xx",
        "counter",
        "envoy_route, envoy_response_code_class",
        "Answers by class of their code to what the other slot `forwarded` (the route).",
    ),
    ("envoy_http_downstream_rq_active", "gauge", "", "Requests in flight at the users' listener."),
    (
        "envoy_server_memory_allocated",
        "gauge",
        "",
        "Memory that the proxy has allocated, in bytes.",
    ),
    (
        "envoy_server_days_until_first_cert_expiring",
        "gauge",
        "",
        "Days until the first certificate of the proxy runs out, where it has one.",
    ),
)
"""Of Envoy's many series those that dashboards and alerts use: name, type, own labels, meaning."""

TORCHSERVE = (
    ("ts_inference_requests_total", "counter", "model_name", "Predictions asked for."),
    (
        "ts_inference_latency_microseconds",
        "counter",
        "model_name",
        "Time spent on predictions, waiting included, in microseconds.",
    ),
    (
        "ts_queue_latency_microseconds",
        "counter",
        "model_name",
        "Time that predictions waited for a worker, in microseconds.",
    ),
    ("PredictionTime", "gauge", "", "Time of the last prediction in the handler, in milliseconds."),
    ("WorkerThreadTime", "gauge", "", "Time that was spent around it, in milliseconds."),
    ("WorkerLoadTime", "gauge", "WorkerName", "Time that a worker took to load, in milliseconds."),
)
"""Of TorchServe's series those that dashboards use."""


STORE = (
    ("slipway_store_volume_bytes", "gauge", "", "Size of the volume, in bytes."),
    ("slipway_store_volume_free_bytes", "gauge", "", "What is free of the volume, in bytes."),
    (
        "slipway_store_quota_bytes",
        "gauge",
        "",
        "Quota of a namespace, in bytes; 0: none.",
    ),
    ("slipway_store_share_bytes", "gauge", "share", "What a namespace stores, in bytes."),
    ("slipway_store_refused_total", "counter", "reason", "Uploads that there was no room for."),
)


def rows() -> Iterator[Row]:
    """Yield a row for each metric: the operator's, the training pods', the serving pods'."""
    yield from _operator_rows()
    yield from _training_rows()
    yield from _serving_rows("Envoy", ENVOY)
    yield from _serving_rows("TorchServe", TORCHSERVE)
    for name, kind, labels, meaning in STORE:
        yield f"`{name}`", kind, labels, "built-in store", meaning


def _operator_rows() -> Iterator[Row]:
    metrics = Metrics()
    sources: Any = Sources(_Nothing(), _Nothing(), _Nothing(), lambda: True)  # type: ignore[arg-type]
    add_gauges(metrics, sources)
    for each in metrics.described:
        yield f"`{each.name}`", each.kind, ", ".join(each.labels), "operator", each.text


class _Nothing:
    """A cache, a queue and a watch of nothing: no gauge is asked for its value."""


def _training_rows() -> Iterator[Row]:
    for name, kind, labels, text in _training_series():
        yield f"`{name}`", kind, ", ".join(filter(None, (JOB_LABELS, labels))), "training pod", text


def _training_series() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, own labels and meaning, from the page that a training pod serves."""
    names = [field for field, *_ in runtime_metrics.GAUGES]
    gpu = dict.fromkeys((field for field, *_ in runtime_metrics.GPU_GAUGES), 1)
    more = {"metrics": {"loss": 1.0}, "gpu": gpu, "stopReason": "Patience"}
    report = {**dict.fromkeys(names, 1), **more}
    saved = dict.fromkeys((field for field, *_ in runtime_metrics.CHECKPOINT_GAUGES), 1)
    lines = [
        *runtime_metrics.store_lines(up=True),
        *runtime_metrics.report_lines(report),
        *runtime_metrics.checkpoint_lines(saved, failing=False),
    ]
    types = {line.split(" ")[2]: line.split(" ")[3] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            sample = next(each for each in lines if each.startswith((f"{name}{{", f"{name} ")))
            own = re.findall(r'([a-z_]+)="', sample)
            yield name, types[name], ", ".join(own), text


def _serving_rows(server: str, series: Iterable[tuple[str, str, str, str]]) -> Iterator[Row]:
    for name, kind, labels, text in series:
        whole = ", ".join(filter(None, (DEPLOYMENT_LABELS, labels)))
        yield f"`{name}`", kind, whole, server, text
