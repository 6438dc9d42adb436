"""The values of an analysis' metrics, each from what it is measured by. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from slipway.api.serving.analysis import Analysis, AnalysisMetric, Latency, ModelMetric
from slipway.serving.analysis.traffic import Counters, Traffic, Window, quantile

_STALE_SECONDS = 60.0
"""An answer that was asked for longer ago is not judged by."""


class NotMeasuredError(Exception):
    """There is nothing to judge by; the text is one sentence."""


@dataclass(frozen=True)
class Measured:
    """A metric's values: of the candidate and, where there is enough to go by, of stable.

    ``what`` and ``unit`` word them; ``missing`` says why stable has none.
    """

    what: str
    candidate: float
    stable: float | None = None
    unit: str = ""
    missing: str = ""
    higher_is_better: bool = False

    @property
    def candidate_badness(self) -> float:
        """The candidate's value such that less is better; shares of good become shares of bad."""
        return 1 - self.candidate if self.higher_is_better else self.candidate

    @property
    def stable_badness(self) -> float:
        """The same of the stable revision."""
        stable = self.stable or 0.0
        return 1 - stable if self.higher_is_better else stable


def measure(metric: AnalysisMetric, spec: Analysis, window: Window, traffic: Traffic) -> Measured:
    """Return a metric's values; raises NotMeasuredError where the candidate has none.

    What a query gives must not be awaited any more.
    """
    if metric.prometheus is not None:
        return _prometheus(metric, traffic)
    value, what, unit = _meter(metric)
    enough = spec.min_samples
    if window.candidate.requests < enough:
        raise NotMeasuredError(
            f"{metric.name}: the new revision has answered {window.candidate.requests:.0f} of the "
            f"{enough} requests that it takes to judge"
        )
    candidate = _number(value(window.candidate))
    if candidate is None:
        raise NotMeasuredError(f"{metric.name}: no pod of the new revision tells {what}")
    few = window.stable.requests < enough
    return Measured(
        what=what,
        candidate=candidate,
        stable=None if few else _number(value(window.stable)),
        unit=unit,
        missing=f"the stable revision has answered {window.stable.requests:.0f} of {enough} "
        "requests, too few to compare with",
        higher_is_better=metric.success_rate is not None,
    )


def _number(value: float | None) -> float | None:
    """Return a value; None for what is no number, as a pod's own figures can come to."""
    return None if value is None or math.isnan(value) else value


_Meter = Callable[[Counters], float | None]


def _meter(metric: AnalysisMetric) -> tuple[_Meter, str, str]:
    """Return how a metric is taken from a revision's traffic, how it is called, and its unit."""
    if metric.latency is not None:
        latency = metric.latency
        what = f"the {latency.quantile} quantile of the answers' times"
        return lambda traffic: _latency(latency, traffic), what, " ms"
    if metric.model is not None:
        model = metric.model
        return lambda traffic: _own(model, traffic), f"the model's {model.name}", ""
    return _success_rate, "the share of good answers", ""


def _success_rate(traffic: Counters) -> float | None:
    return 1 - min(1.0, traffic.errors / traffic.requests) if traffic.requests else None


def _latency(latency: Latency, traffic: Counters) -> float | None:
    return quantile(traffic.latency, float(latency.quantile))


def _own(model: ModelMetric, traffic: Counters) -> float | None:
    """Return a gauge's mean, a histogram's mean, or a counter's increase for each request."""
    if model.name in traffic.gauges:
        return traffic.gauges[model.name]
    observed = traffic.totals.get(f"{model.name}_count")
    if observed:
        return traffic.totals.get(f"{model.name}_sum", 0.0) / observed
    total = traffic.totals.get(model.name, traffic.totals.get(f"{model.name}_total"))
    if observed is None and total is not None and traffic.requests:
        return total / traffic.requests
    return None


def is_awaited(metric: AnalysisMetric, traffic: Traffic) -> bool:
    """Tell whether Prometheus is yet to answer a metric's query, be it with an error."""
    reading = traffic.readings.get(metric)
    stale = reading is None or reading.age > _STALE_SECONDS
    return metric.prometheus is not None and stale


def _prometheus(metric: AnalysisMetric, traffic: Traffic) -> Measured:
    reading = traffic.readings[metric]
    candidate = _number(reading.candidate)
    if candidate is None:
        raise NotMeasuredError(f"{metric.name}: {reading.error or 'the query gave no value'}")
    return Measured(
        what="the query's result",
        candidate=candidate,
        stable=_number(reading.stable),
        missing="the query gave nothing for the stable revision",
    )
