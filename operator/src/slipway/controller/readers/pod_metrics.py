"""Reading one serving pod's counters: Envoy's page, and that of the model's server."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from prometheus_client import Metric
from prometheus_client.samples import Sample

from slipway.controller.readers.asking.bounded import BoundedReader, UnansweredError, pod_url
from slipway.controller.readers.exposition import families
from slipway.envoy import INFERENCE, OTHER, SERVER_METRICS_PATH
from slipway.plan import Manifest
from slipway.serving.analysis.traffic import Counters, PodSample
from slipway.serving.children.names import OPS_PORT

_LOG = logging.getLogger(__name__)
_GRPC_FAULTS = ("2", "4", "12", "13", "14", "15")
"""gRPC's codes that stand for 5xx: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE
and DATA_LOSS. Source: https://grpc.io/docs/guides/status-codes/"""
_GRPC_FILTER = f"grpc[.]({'|'.join(_GRPC_FAULTS)})"
_FILTER = f"^cluster[.]({INFERENCE}|{OTHER})[.](upstream_rq_(completed|5xx|time)|{_GRPC_FILTER})$"
_ENVOY_PAGE = f"/metrics?filter={quote(_FILTER)}"
_COMPLETED, _FAILED, _TIMES = (
    f"envoy_cluster_upstream_rq_{each}" for each in ("completed", "xx", "time")
)
_GRPC = "envoy_cluster_grpc"
_ENVOY_NAMES = (_COMPLETED, _FAILED, _TIMES, f"{_TIMES}_bucket", _GRPC)
_SUFFIXES = ("_total", "_sum", "_count")
_MOST_LINES = 256
"""Lines that are read of one page; a handler with more series of one measure is cut short."""
_MOST_BUCKETS = 64
"""Buckets that are read of one histogram; Envoy has 20."""
_MOST = 2.0**53
"""A counter beyond this is none: whole numbers in floating point end there."""


def ops_url(pod: Manifest) -> str:
    """Return the URL of a pod's ops port; the pod has an address."""
    return pod_url(str(pod["status"]["podIP"]), OPS_PORT)


async def read_pod(
    reader: BoundedReader, base: str, revision: str, tenant: str, measures: Iterable[str]
) -> PodSample | None:
    """Return the counters of the pod whose ops port is at a URL; None where it tells none.

    ``measures`` are the model's own that are wanted: the server's page is asked for only where
    there are some. It is not there while the server starts; Envoy's alone is enough.
    """
    wanted = frozenset(measures)
    try:
        proxy = families(
            await reader.get_page(base + _ENVOY_PAGE, tenant), _ENVOY_NAMES, _MOST_LINES
        )
    except (UnansweredError, ValueError) as error:
        _LOG.debug("No counters from %s: %s", base, error)
        return None
    return parse_pod(revision, proxy, await _own(reader, base, tenant, wanted) if wanted else [])


async def _own(
    reader: BoundedReader, base: str, tenant: str, measures: frozenset[str]
) -> list[Metric]:
    try:
        page = await reader.get_page(base + SERVER_METRICS_PATH, tenant)
        return families(page, set(_series(measures)), _MOST_LINES)
    except (UnansweredError, ValueError):
        return []


def _series(measures: Iterable[str]) -> Iterator[str]:
    """Yield the names under which measures stand in a page, be they counters or histograms."""
    for name in measures:
        for suffix in _SUFFIXES:
            yield name.removesuffix(suffix)
            yield name + suffix


def parse_pod(revision: str, proxy: Iterable[Metric], own: Sequence[Metric]) -> PodSample:
    """Return the counters in a pod's two pages; the parser ends the names of counters in _total.

    Envoy's names: https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
    """
    done = {INFERENCE: 0.0, OTHER: 0.0}
    failed = {INFERENCE: 0.0, OTHER: 0.0}
    grpc_failed = {INFERENCE: 0.0, OTHER: 0.0}
    latency: dict[float, float] = {}
    for sample in _samples(proxy, least=0.0):
        cluster = sample.labels.get("envoy_cluster_name", "")
        if sample.name == f"{_COMPLETED}_total" and cluster in done:
            done[cluster] += sample.value
        elif sample.name == f"{_FAILED}_total" and cluster in failed:
            failed[cluster] += sample.value
        elif sample.name == f"{_GRPC}_total" and cluster in grpc_failed:
            grpc_failed[cluster] += sample.value
        elif sample.name != f"{_TIMES}_bucket" or cluster != INFERENCE:
            continue
        elif len(latency) < _MOST_BUCKETS:
            latency[_bound(sample.labels.get("le", ""))] = sample.value
    # What Envoy itself answers a gRPC client is counted both ways.
    errors = {cluster: max(failed[cluster], grpc_failed[cluster]) for cluster in failed}
    totals, gauges = _own_measures(own)
    return PodSample(
        revision=revision,
        counters=Counters(
            requests=done[INFERENCE],
            errors=errors[INFERENCE],
            latency=tuple(sorted((at, n) for at, n in latency.items() if not math.isnan(at))),
            totals=totals,
            gauges=gauges,
        ),
        forwarded=done[OTHER],
        forward_errors=errors[OTHER],
    )


def _samples(page: Iterable[Metric], least: float = -_MOST) -> Iterator[Sample]:
    """Yield the samples that can be counted with: one that is infinite or no number is not."""
    for family in page:
        for sample in family.samples:
            if least <= sample.value <= _MOST:
                yield sample


def _bound(text: str) -> float:
    """Return a bucket's upper bound; NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _own_measures(page: Sequence[Metric]) -> tuple[dict[str, float], dict[str, float]]:
    """Return counters (summed over labels) and gauges (their mean) of the server and the model."""
    totals: dict[str, float] = {}
    seen: dict[str, list[float]] = {}
    for sample in _samples(family for family in page if family.type != "gauge"):
        if "le" not in sample.labels and not sample.name.endswith("_created"):
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    for sample in _samples(family for family in page if family.type == "gauge"):
        seen.setdefault(sample.name, []).append(sample.value)
    return totals, {name: sum(values) / len(values) for name, values in seen.items()}
