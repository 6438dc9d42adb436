"""The judgment of a new revision by its traffic: one step from a state to the next. Pure.

One measurement goes over all requests since the window's start, ``interval`` or longer. A
measurement that could not tell lets the window grow, so that a model that is seldom asked is judged
in the end; every other one begins a new window. No traffic is inconclusive: neither good nor bad.
One that can only be bad, and ends the analysis by that, does not wait for the end of its interval.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from slipway.api.conditions import parse_time
from slipway.api.excerpt import excerpt
from slipway.api.fields.duration import seconds_of
from slipway.api.fields.number import holds
from slipway.api.serving.analysis import (
    MAX_ANALYSIS_MESSAGE,
    MAX_COUNT,
    MAX_MEASUREMENT_MESSAGE,
    Analysis,
    AnalysisMetric,
    AnalysisState,
    Measurement,
    Verdict,
)
from slipway.serving.analysis.foregone import can_only_be_bad
from slipway.serving.analysis.measures import Measured, NotMeasuredError, is_awaited, measure
from slipway.serving.analysis.traffic import Traffic, Window


def evaluate(
    spec: Analysis, state: AnalysisState, traffic: Traffic | None, now: datetime
) -> AnalysisState:
    """Return the state after what is known now; ``now`` has a time zone.

    ``Successful`` and ``Failed`` are final; ``Inconclusive`` becomes what the traffic says once
    there is some. While ``traffic`` is None, or has no samples, the analysis waits.
    """
    if state.phase in ("Successful", "Failed"):
        return state
    if traffic is None or traffic.end is None:
        return state if state.window_start else _begin(state, now)
    if state.window_start is None:
        return _begin(state, traffic.end)
    window = traffic.since(_moment(state.window_start))
    if window is None:
        return state
    if any(is_awaited(m, traffic) for m in spec.metrics):
        return state
    left = _left(spec, state, window)
    if left > 0 and not _is_lost(spec, state, window, left):
        return _counted_anew(spec, state, window, traffic)
    measurements = [_measure(metric, spec, window, traffic) for metric in spec.metrics]
    return _count(spec, state, window, measurements, left)


def needs_traffic(state: AnalysisState | None) -> bool:
    """Tell whether an analysis goes on, and so wants to know of the traffic."""
    return state is not None and state.phase in ("Running", "Inconclusive")


def due_in(spec: Analysis, state: AnalysisState, now: datetime) -> float | None:
    """Return in how many seconds the next measurement is due; None for an analysis that is over."""
    if not needs_traffic(state):
        return None
    last = _latest(state)
    wait = seconds_of(spec.interval)
    return max(0.0, wait - (now - last).total_seconds()) if last else 0.0


def moment_text(moment: datetime) -> str:
    """Return a moment as RFC 3339 with microseconds, by which its sample is found again."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    found = parse_time(text)
    if found is None:
        raise ValueError("There is no such moment.")
    return found


def _begin(state: AnalysisState, moment: datetime) -> AnalysisState:
    return state.model_copy(update={"window_start": moment_text(moment)})


def _latest(state: AnalysisState) -> datetime | None:
    """Return when was measured last or, before that, when the window began."""
    moments = [parse_time(state.window_start), parse_time(state.last_measurement_time)]
    return max((moment for moment in moments if moment), default=None)


def _left(spec: Analysis, state: AnalysisState, window: Window) -> float:
    """Return in how many seconds an interval has passed of which the samples tell the whole."""
    measured = parse_time(state.last_measurement_time)
    begin = max(window.start, measured) if measured else window.start
    return (begin + timedelta(seconds=seconds_of(spec.interval)) - window.end).total_seconds()


def _is_lost(spec: Analysis, state: AnalysisState, window: Window, left: float) -> bool:
    """Tell whether the rest of the interval changes nothing: the analysis will have failed.

    A bad measurement that is borne goes on to the end, for the next one would begin earlier.
    """
    if state.failed < spec.failure_limit:
        return False
    return any(can_only_be_bad(metric, spec, window, left) for metric in spec.metrics)


def _measure(
    metric: AnalysisMetric, spec: Analysis, window: Window, traffic: Traffic
) -> Measurement:
    try:
        found = measure(metric, spec, window, traffic)
    except NotMeasuredError as error:
        message = excerpt(str(error), MAX_MEASUREMENT_MESSAGE)
        return Measurement(name=metric.name, verdict="Inconclusive", message=message)
    verdict, why = _judge(metric, found)
    return Measurement(
        name=metric.name,
        verdict=verdict,
        value=_figure(found.candidate),
        stable_value=None if found.stable is None else _figure(found.stable),
        message=excerpt(f"{metric.name}: {why}", MAX_MEASUREMENT_MESSAGE),
    )


def _judge(metric: AnalysisMetric, found: Measured) -> tuple[Verdict, str]:
    """Return whether a value is good enough by the condition or by the comparison, and why."""
    value = f"{found.what} is {_figure(found.candidate)}{found.unit}"
    condition, ratio = metric.success_condition, metric.max_ratio_to_stable
    if condition is not None and holds(condition, found.candidate):
        return "Successful", f"{value}, and {condition} holds"
    wanted = "" if condition is None else f", and {condition} does not hold"
    if ratio is None:
        return "Failed", f"{value}{wanted}"
    if found.stable is None:
        return "Inconclusive", f"{value}{wanted}; {found.missing}"
    beside = f"that of the stable revision {_figure(found.stable)}{found.unit}"
    if found.candidate_badness <= float(ratio) * found.stable_badness:
        return "Successful", f"{value}, {beside}: at most {ratio} times as bad"
    return "Failed", f"{value}{wanted}, {beside}: more than {ratio} times as bad"


def _figure(value: float) -> str:
    """Return a value with five digits that count."""
    return f"{value:.5g}"


@dataclass(frozen=True)
class _Tally:
    verdict: Verdict
    told: str


def _tally(measurements: list[Measurement]) -> _Tally:
    """Return the verdict of all metrics: one that is bad decides, then one that cannot tell."""
    for verdict in ("Failed", "Inconclusive"):
        told = [one.message for one in measurements if one.verdict == verdict]
        if told:
            return _Tally(verdict, "; ".join(told))
    return _Tally("Successful", "; ".join(one.message for one in measurements))


def _count(
    spec: Analysis,
    state: AnalysisState,
    window: Window,
    measurements: list[Measurement],
    left: float,
) -> AnalysisState:
    tally = _tally(measurements)
    open_ = tally.verdict == "Inconclusive"
    successful = state.successful + (tally.verdict == "Successful")
    failed = state.failed + (tally.verdict == "Failed")
    inconclusive = state.inconclusive + 1 if open_ else 0
    phase = "Running"
    if failed > spec.failure_limit:
        phase = "Failed"
    elif successful >= spec.count:
        phase = "Successful"
    elif inconclusive > spec.inconclusive_limit:
        phase = "Inconclusive"
    end = moment_text(window.end)
    return AnalysisState(
        phase=phase,
        message=_sentence(tally, window, _LOST if left > 0 else ""),
        successful=successful,
        failed=failed,
        inconclusive=inconclusive,
        window_start=moment_text(window.start) if open_ else end,
        last_measurement_time=end,
        requests=_whole(window.candidate.requests),
        stable_requests=_whole(window.stable.requests),
        measurements=measurements,
    )


def _counted_anew(
    spec: Analysis, state: AnalysisState, window: Window, traffic: Traffic
) -> AnalysisState:
    """Return a state whose last measurement could not tell, with the requests that there are now.

    They are told until they are enough, at most a hundred times: each telling writes the status.
    """
    counts = _whole(window.candidate.requests), _whole(window.stable.requests)
    if not state.inconclusive or _told(spec, counts) == _told(
        spec, (state.requests, state.stable_requests)
    ):
        return state
    metrics = {metric.name: metric for metric in spec.metrics}
    measurements = [
        _waiting(metrics[one.name], spec, window, traffic)
        if one.verdict == "Inconclusive" and one.name in metrics
        else one
        for one in state.measurements
    ]
    return state.model_copy(
        update={
            "message": _sentence(_tally(measurements), window),
            "requests": counts[0],
            "stable_requests": counts[1],
            "measurements": measurements,
        }
    )


def _told(spec: Analysis, counts: tuple[int, int]) -> tuple[int, ...]:
    """Return how far requests are on their way to ``minSamples``, each or in hundredths."""
    enough = spec.min_samples
    return tuple(min(count, enough) // max(1, enough // 100) for count in counts)


def _waiting(
    metric: AnalysisMetric, spec: Analysis, window: Window, traffic: Traffic
) -> Measurement:
    """Return what a metric waits for that could not tell; what it is comes at its time."""
    found = _measure(metric, spec, window, traffic)
    if found.verdict == "Inconclusive":
        return found
    message = f"{metric.name}: the next measurement has enough to judge by"
    return Measurement(name=metric.name, verdict="Inconclusive", message=message)


_LOST = "; the rest of the interval could not make it good"


def _sentence(tally: _Tally, window: Window, more: str = "") -> str:
    counted = f" ({_whole(window.candidate.requests)} requests in {window.seconds:.0f} s{more})."
    return excerpt(tally.told, MAX_ANALYSIS_MESSAGE - len(counted)) + counted


def _whole(count: float) -> int:
    """Return a count of requests as the API has it, whatever a pod's counters add up to."""
    return int(min(max(count, 0.0), MAX_COUNT)) if not math.isnan(count) else 0
