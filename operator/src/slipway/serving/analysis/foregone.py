"""Whether a measurement can only be bad, though its interval has not passed. Pure.

Nobody knows how many requests are still to come, so a bound is set to it: up to `MOST_GROWTH`
times as many a second as so far. What would be bad even if all of them were answered well is bad
for certain.
"""

from slipway.api.fields.number import comparisons
from slipway.api.serving.analysis import Analysis, AnalysisMetric
from slipway.serving.analysis.traffic import Window

MOST_GROWTH = 10.0
"""So many times as many requests a second as so far may come in the rest of an interval, and so
many times as great may the stable revision's share of failed answers become."""
LATE_SECONDS = 5.0
"""A measurement may come so much after its interval, as the pods are asked every 5 s."""
_AT_LEAST = (">", ">=", "==")
"""Comparisons that no value holds which is less than their number."""


def can_only_be_bad(metric: AnalysisMetric, spec: Analysis, window: Window, left: float) -> bool:
    """Tell whether a metric will be bad whatever comes in the ``left`` seconds of the interval.

    Of a success rate alone this is ever known. In the rest, `MOST_GROWTH` times as many requests a
    second may come, all of which the candidate answers well; with them the best share follows:
    ``1 - errors / (requests * (1 + MOST_GROWTH * rest / seconds))``. The stable revision's share of
    failed answers is taken to become no more than `MOST_GROWTH` times what it is now, with one
    failed answer more than there were.
    """
    if metric.success_rate is None or window.candidate.requests < spec.min_samples:
        return False
    best = _best_share(window, left)
    condition, ratio = metric.success_condition, metric.max_ratio_to_stable
    if best is None or (condition is None and ratio is None):
        return False
    if condition is not None and not _is_out_of_reach(condition, best):
        return False
    return ratio is None or _is_too_bad(1 - best, float(ratio), spec, window)


def _best_share(window: Window, left: float) -> float | None:
    """Return the greatest share of good answers that can be had; None for a window of no length."""
    if window.seconds <= 0:
        return None
    growth = MOST_GROWTH * (left + LATE_SECONDS) / window.seconds
    return 1 - min(window.candidate.errors / (window.candidate.requests * (1 + growth)), 1.0)


def _is_out_of_reach(condition: str, best: float) -> bool:
    """Tell whether a condition holds of no value up to the best one; of NaN nothing is told."""
    return any(
        each.sign in _AT_LEAST and each.number >= best and not each.holds(best)
        for each in comparisons(condition)
    )


def _is_too_bad(badness: float, ratio: float, spec: Analysis, window: Window) -> bool:
    stable = window.stable
    if stable.requests < spec.min_samples:
        return False
    return badness > ratio * MOST_GROWTH * (stable.errors + 1) / stable.requests
