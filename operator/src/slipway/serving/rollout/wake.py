"""When a rollout is to be looked at again though nothing wakes it."""

from datetime import datetime

from slipway.api.conditions import parse_time
from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.serving.analysis.judgment import due_in
from slipway.serving.rollout.candidate import current_step, in_place, programme_for
from slipway.serving.rollout.steps import Analyse, Pause
from slipway.serving.rollout.take_over import TAKE_OVER_SECONDS
from slipway.serving.rollout.view import RolloutView

MARGIN_SECONDS = 0.2
"""Times are kept in whole seconds: a little later is surely not too early."""
SOONEST_SECONDS, LATEST_SECONDS = 1.0, 5.0
"""How soon, and how late, a running analysis is looked at again."""


def wake(state: RolloutStatus, seen: RolloutView) -> float | None:
    """Return in how many seconds the next thing falls due; None for nothing."""
    moments = [*_candidate(state, seen)]
    if state.retired is not None:
        moments.append(_until(state.retired.until, 0, seen.now))
    known = [moment for moment in moments if moment is not None]
    return max(0.0, min(known)) + MARGIN_SECONDS if known else None


def _candidate(state: RolloutStatus, seen: RolloutView) -> list[float | None]:
    candidate = state.candidate
    if candidate is None or in_place(state):
        return []
    programme = programme_for(candidate, seen)
    step = current_step(candidate, programme)
    moments: list[float | None] = []
    if isinstance(step, Pause) and step.seconds is not None:
        moments.append(_until(candidate.step_started_at, step.seconds, seen.now))
    if state.stable_down_since is not None:
        moments.append(_until(state.stable_down_since, TAKE_OVER_SECONDS, seen.now))
    if candidate.waiting_since is not None:
        moments.append(_until(candidate.waiting_since, seen.limits.deadline, seen.now))
    if isinstance(step, Analyse):
        moments.append(_due(step.spec, candidate.analysis, seen.now))
    if programme.background is not None and not candidate.promoted:
        moments.append(_due(programme.background, candidate.background, seen.now))
    return moments


def _until(text: str, seconds: int, now: datetime) -> float | None:
    """Return how long it is until so many seconds after a moment; None for what is over."""
    moment = parse_time(text)
    left = seconds - (now - moment).total_seconds() if moment else -1.0
    return left if left > 0 else None


def _due(spec: Analysis, state: AnalysisState | None, now: datetime) -> float | None:
    """Return when an analysis is looked at again: soon, for its window begins with a first look."""
    left = due_in(spec, state, now) if state is not None else None
    return None if left is None else min(max(left, SOONEST_SECONDS), LATEST_SECONDS)
