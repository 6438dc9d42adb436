"""Where a handler's metrics go: they are kept until the batch's answer, and sent with it."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes

MOST_UPDATES = 1000
"""How many updates of metrics one batch may make; more are left out."""

UNITS = {
    "ms": "Milliseconds",
    "s": "Seconds",
    "percent": "Percent",
    "count": "Count",
    "MB": "Megabytes",
    "GB": "Gigabytes",
    "kB": "Kilobytes",
    "B": "Bytes",
    "": "unit",
}
"""Units by what handlers call them."""

Update = tuple[str, str, float, list[tuple[str, str]]]
"""Name, kind (counter, gauge or histogram), value, and labels."""


class Metric:
    """One metric, as a handler holds it."""

    def __init__(self, store: "MetricsStore", name: str, kind: MetricTypes, unit: str) -> None:
        self.metric_name = name
        self.unit = UNITS.get(unit, unit)
        self.metric_type = kind
        self._store = store

    def add_or_update(
        self,
        value: float,
        dimension_values: Sequence[str] = (),
        request_id: str = "",
    ) -> None:
        """Add to a counter, set a gauge, observe a value of a histogram."""
        labels = self._store.names_of(self)
        self._store.put(self, value, list(zip(labels, map(str, dimension_values), strict=False)))

    def update(
        self,
        value: float,
        request_id: str = "",
        dimensions: Sequence[Dimension] | None = None,
    ) -> None:
        """Do the same, with labels that bring their names."""
        self._store.put(self, value, [(one.name, str(one.value)) for one in dimensions or ()])


class MetricsStore:
    """The metrics of one worker."""

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name
        self.cache: dict[str, Metric] = {}
        self._names: dict[str, list[str]] = {}
        self._updates: list[Update] = []
        self.left_out = 0

    def taken(self) -> list[Update]:
        """Return the updates since this was asked last."""
        updates, self._updates = self._updates, []
        return updates

    def put(self, metric: Metric, value: float, labels: list[tuple[str, str]]) -> None:
        """Keep an update for the front."""
        if len(self._updates) >= MOST_UPDATES:
            self.left_out += 1
            return
        self._updates.append((metric.metric_name, metric.metric_type.value, float(value), labels))

    def names_of(self, metric: Metric) -> list[str]:
        """Return the names of a metric's labels, as `add_metric_to_cache` was told them."""
        return self._names.get(metric.metric_name, [])

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure the block, in milliseconds."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add_time(name, (time.perf_counter() - start) * 1000)

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str = "",
        dimension_names: Sequence[str] = (),
        metric_type: MetricTypes | str = MetricTypes.COUNTER,
    ) -> Metric:
        """Return a metric of a name, which is made where there is none."""
        if metric_name not in self.cache:
            self.cache[metric_name] = Metric(self, metric_name, MetricTypes(metric_type), unit)
            self._names[metric_name] = list(dimension_names)
        return self.cache[metric_name]

    def get_metric(
        self, metric_name: str, metric_type: MetricTypes | str = MetricTypes.COUNTER
    ) -> Metric:
        """Return a metric by its name and type; raises KeyError where there is none."""
        metric = self.cache[metric_name]
        if metric.metric_type != MetricTypes(metric_type):
            raise KeyError(f"{metric_name} is a {metric.metric_type.value}")
        return metric

    def add_metric(
        self,
        name: str,
        value: float,
        unit: str = "",
        idx: str | None = None,
        dimensions: Sequence[Dimension] | None = None,
        metric_type: MetricTypes | str = MetricTypes.COUNTER,
    ) -> None:
        """Update a metric of any kind."""
        self.add_metric_to_cache(name, unit, metric_type=metric_type).update(
            value, dimensions=dimensions
        )

    def add_counter(
        self,
        name: str,
        value: float,
        idx: str | None = None,
        dimensions: Sequence[Dimension] | None = None,
    ) -> None:
        """Add to a counter."""
        self.add_metric(name, value, dimensions=dimensions, metric_type=MetricTypes.COUNTER)

    def add_time(
        self,
        name: str,
        value: float,
        idx: str | None = None,
        unit: str = "ms",
        dimensions: Sequence[Dimension] | None = None,
        metric_type: MetricTypes | str = MetricTypes.GAUGE,
    ) -> None:
        """Set a time, in milliseconds (``ms``) or seconds (``s``)."""
        if unit not in ("ms", "s"):
            raise ValueError(f"the unit {unit} is neither ms nor s")
        self.add_metric(name, value, unit, dimensions=dimensions, metric_type=metric_type)

    def add_size(
        self,
        name: str,
        value: float,
        idx: str | None = None,
        unit: str = "MB",
        dimensions: Sequence[Dimension] | None = None,
        metric_type: MetricTypes | str = MetricTypes.GAUGE,
    ) -> None:
        """Set a size, in MB, kB, GB or B."""
        if unit not in ("MB", "kB", "GB", "B"):
            raise ValueError(f"the unit {unit} is none of MB, kB, GB and B")
        self.add_metric(name, value, unit, dimensions=dimensions, metric_type=metric_type)

    def add_percent(
        self,
        name: str,
        value: float,
        idx: str | None = None,
        dimensions: Sequence[Dimension] | None = None,
        metric_type: MetricTypes | str = MetricTypes.GAUGE,
    ) -> None:
        """Set a share, in percent."""
        self.add_metric(name, value, "percent", dimensions=dimensions, metric_type=metric_type)

    def add_error(
        self,
        name: str,
        value: Any,
        dimensions: Sequence[Dimension] | None = None,
        metric_type: MetricTypes | str = MetricTypes.COUNTER,
    ) -> None:
        """Add to a counter of errors: a number, or 1 for a word."""
        count = value if isinstance(value, int | float) else 1
        self.add_metric(name, count, dimensions=dimensions, metric_type=metric_type)
