"""The page of metrics, piece by piece, so that no scrape holds the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from slipway.telemetry.catalogue import Sampled
from slipway.telemetry.objects.encoded import ObjectSamples
from slipway.telemetry.objects.following import Pauses

_SAMPLES = 256
"""Samples that are encoded in one go."""
_END = b"# EOF\n"
"""How the OpenMetrics format ends, and the older text format does not."""


@dataclass(frozen=True)
class _Piece:
    """Stands in for a registry with a part of one metric."""

    metric: Metric

    def collect(self) -> Iterator[Metric]:
        yield self.metric


def _encoded(metric: Metric, encode: Callable[..., bytes]) -> Iterator[bytes]:
    """Yield a metric's lines; the two that describe it are there once."""
    samples = metric.samples
    for begin in range(0, max(1, len(samples)), _SAMPLES):
        piece = Metric(metric.name, metric.documentation, metric.type, metric.unit)
        piece.samples = samples[begin : begin + _SAMPLES]
        text = encode(_Piece(piece)).removesuffix(_END)
        yield text if begin == 0 else text.split(b"\n", 2)[2]


async def page(
    collectors: Iterable[Collector], objects: Iterable[ObjectSamples], accept: str, pauses: Pauses
) -> AsyncIterator[bytes]:
    """Yield the page in the format that an Accept header asks for, in pieces."""
    encode, content_type = choose_encoder(accept)
    for collector in collectors:
        for metric in await _collected(collector):
            for piece in _encoded(metric, encode):
                yield piece
                await pauses.pause()
    for samples in objects:
        for index, gauge in enumerate(samples.gauges):
            yield f"# HELP {gauge.name} {gauge.text}\n# TYPE {gauge.name} gauge\n".encode()
            for lines in samples.lines(index):
                yield lines
                await pauses.pause()
    if content_type.startswith("application/openmetrics-text"):
        yield _END


async def _collected(collector: Collector) -> list[Metric]:
    """Return a collector's metrics.

    The library's own may have a thousand series for each namespace: they are safe to be read in a
    thread, which leaves the loop to others. What is sampled is read from what the loop changes.
    """
    if isinstance(collector, Sampled):
        return list(collector.collect())
    return await asyncio.to_thread(lambda: list(collector.collect()))


def content_type_for(accept: str) -> str:
    """Return the page's Content-Type for an Accept header."""
    return choose_encoder(accept)[1]
