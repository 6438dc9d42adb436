"""Metrics that describe themselves: what is made here is also what the reference lists.

Names follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for counters.
Every label's values are bounded: by the code, or by the objects that there are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Made = TypeVar("Made", bound=Collector)
Labels = tuple[str, ...]
Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""
Take = Callable[[], Iterable[Sample]]

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Buckets for the operator's own work, in seconds."""
LONG = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
"""Buckets for what happens to jobs and deployments, in seconds."""
SIZES = tuple(2.0**power for power in range(20, 41, 2))
"""Buckets for archives: 1 MiB to 1 TiB, in bytes."""


@dataclass(frozen=True)
class Described:
    """One metric as the reference lists it; ``kind`` is counter, gauge or histogram."""

    name: str
    kind: str
    labels: Labels
    text: str


class Sampled(Collector):
    """A gauge or counter whose samples are taken when it is scraped."""

    def __init__(self, described: Described, take: Take) -> None:
        self._described, self._take = described, take

    def describe(self) -> Iterator[Metric]:
        """Yield the family without samples: its registration asks nothing of its source."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """Yield the family with its present samples."""
        family = self._family()
        for values, number in self._take():
            family.add_metric(values, number)
        yield family

    def _family(self) -> GaugeMetricFamily | CounterMetricFamily:
        it = self._described
        kind = CounterMetricFamily if it.kind == "counter" else GaugeMetricFamily
        return kind(it.name, it.text, labels=it.labels)


class Catalogue:
    """Makes metrics in one registry, and remembers what was made."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.collectors: list[Collector] = [ProcessCollector(registry=self.registry)]
        self.described: list[Described] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Make a counter; ``name`` ends in ``_total``."""
        self.describe(name, "counter", labels, text)
        return self._added(Counter(name, text, labels, registry=self.registry))

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Make a gauge that is set."""
        self.describe(name, "gauge", labels, text)
        return self._added(Gauge(name, text, labels, registry=self.registry))

    def histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SHORT
    ) -> Histogram:
        """Make a histogram."""
        self.describe(name, "histogram", labels, text)
        return self._added(Histogram(name, text, labels, buckets=buckets, registry=self.registry))

    def sampled(self, name: str, text: str, labels: Labels, take: Take) -> None:
        """Make a gauge, or a counter where the name ends in ``_total``, that ``take`` fills."""
        kind = "counter" if name.endswith("_total") else "gauge"
        made = Sampled(self.describe(name, kind, labels, text), take)
        self.registry.register(self._added(made))

    def _added(self, made: Made) -> Made:
        self.collectors.append(made)
        return made

    def describe(self, name: str, kind: str, labels: Labels, text: str) -> Described:
        """Have the reference list a metric, which is served by others where none is made of it."""
        self.described.append(Described(name, kind, labels, text))
        return self.described[-1]
