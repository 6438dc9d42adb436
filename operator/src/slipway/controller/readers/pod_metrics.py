"""Reading one serving pod's counters: Envoy's page, and TorchServe's own."""

import logging
from collections.abc import Iterable
from urllib.parse import quote

import aiohttp
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from slipway.controller.readers.sessions import pod_url
from slipway.envoy import INFERENCE, OTHER
from slipway.plan import Manifest
from slipway.serving.names import OPS_PORT
from slipway.serving.traffic import Counters, PodSample

_LOG = logging.getLogger(__name__)
_MOST_BYTES = 1 << 20
_FILTER = f"^cluster[.]({INFERENCE}|{OTHER})[.]upstream_rq_(completed|5xx|time)$"
_ENVOY_PAGE = f"/metrics?filter={quote(_FILTER)}"
_TORCHSERVE_PAGE = "/metrics/torchserve"
_MOST_SERIES = 256
"""Measures of the model's own that are looked at; a handler that makes more is cut short."""


def ops_url(pod: Manifest) -> str:
    """Return the URL of a pod's ops port; the pod has an address."""
    return pod_url(str(pod["status"]["podIP"]), OPS_PORT)


async def read_pod(session: aiohttp.ClientSession, base: str, revision: str) -> PodSample | None:
    """Return the counters of the pod whose ops port is at a URL; None where it tells none.

    TorchServe's page is not there while it starts; Envoy's alone is enough.
    """
    try:
        proxy = await _page(session, base + _ENVOY_PAGE)
    except _FAILURES as error:
        _LOG.debug("No counters from %s: %s", base, error)
        return None
    try:
        own = await _page(session, base + _TORCHSERVE_PAGE)
    except _FAILURES:
        own = []
    return parse_pod(revision, proxy, own)


_FAILURES = (aiohttp.ClientError, TimeoutError, ValueError, OSError)


async def _page(session: aiohttp.ClientSession, url: str) -> list[Metric]:
    async with session.get(url) as response:
        response.raise_for_status()
        text = (await response.content.read(_MOST_BYTES)).decode("utf-8", "replace")
        while chunk := await response.content.read(_MOST_BYTES):
            text += chunk.decode("utf-8", "replace")
            if len(text) > _MOST_BYTES:
                raise ValueError(f"The page is longer than {_MOST_BYTES} bytes.")
    return list(text_string_to_metric_families(text))


def parse_pod(revision: str, proxy: Iterable[Metric], own: Iterable[Metric]) -> PodSample:
    """Return the counters in a pod's two pages; the parser ends the names of counters in _total.

    Envoy's names: https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
    """
    done = {INFERENCE: 0.0, OTHER: 0.0}
    failed = {INFERENCE: 0.0, OTHER: 0.0}
    latency: dict[float, float] = {}
    for sample in (sample for family in proxy for sample in family.samples):
        cluster = sample.labels.get("envoy_cluster_name", "")
        if sample.name == "envoy_cluster_upstream_rq_completed_total" and cluster in done:
            done[cluster] += sample.value
        elif sample.name == "envoy_cluster_upstream_rq_xx_total" and cluster in failed:
            failed[cluster] += sample.value
        elif sample.name == "envoy_cluster_upstream_rq_time_bucket" and cluster == INFERENCE:
            latency[float(sample.labels["le"])] = sample.value
    totals, gauges = _own_measures(own)
    return PodSample(
        revision=revision,
        counters=Counters(
            requests=done[INFERENCE],
            errors=failed[INFERENCE],
            latency=tuple(sorted(latency.items())),
            totals=totals,
            gauges=gauges,
        ),
        forwarded=done[OTHER],
        forward_errors=failed[OTHER],
    )


def _own_measures(families: Iterable[Metric]) -> tuple[dict[str, float], dict[str, float]]:
    """Return counters (summed over labels) and gauges (their mean) of TorchServe and the model."""
    totals: dict[str, float] = {}
    seen: dict[str, list[float]] = {}
    for family in families:
        for sample in family.samples:
            if len(totals) + len(seen) >= _MOST_SERIES:
                break
            if family.type == "gauge":
                seen.setdefault(sample.name, []).append(sample.value)
            elif "le" not in sample.labels and not sample.name.endswith("_created"):
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals, {name: sum(values) / len(values) for name, values in seen.items()}
