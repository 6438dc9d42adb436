"""One step after the other: what each waits for, and what it changes."""

from slipway.api.conditions import parse_time, timestamp
from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.api.serving.rollout_status import Candidate, RolloutStatus
from slipway.serving.rollout.candidate import (
    changed,
    current_step,
    desired_replicas,
    in_place,
    is_ready,
    noted,
    programme_for,
)
from slipway.serving.rollout.steps import (
    Analyse,
    Pause,
    Programme,
    Promote,
    SetReplicas,
    SetWeight,
    Step,
)
from slipway.serving.rollout.view import RolloutView


def share(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Set what goes to the candidate: its step's share while it is ready, else nothing at all."""
    candidate = state.candidate
    if candidate is None or in_place(state) or candidate.promoted:
        return state
    share_now = _wanted_share(candidate, programme_for(candidate, seen), seen)
    after = changed(
        candidate, weight=share_now.weight, mirror=share_now.mirror, matching=share_now.matching
    )
    return state.model_copy(update={"candidate": after})


def _wanted_share(candidate: Candidate, programme: Programme, seen: RolloutView) -> SetWeight:
    if not is_ready(candidate, seen):
        return SetWeight(0)
    step = current_step(candidate, programme)
    if isinstance(step, SetWeight):
        enough = _is_up(candidate, programme, seen) or _has_share(candidate, step)
        if enough:
            return step
    said = [
        earlier for earlier in programme.steps[: candidate.step] if isinstance(earlier, SetWeight)
    ]
    return said[-1] if said else SetWeight(0)


def _has_share(candidate: Candidate, step: SetWeight) -> bool:
    return SetWeight(candidate.weight, candidate.mirror, candidate.matching) == step


def _is_up(candidate: Candidate, programme: Programme, seen: RolloutView) -> bool:
    needed = desired_replicas(candidate, programme)
    return seen.progress(candidate.slot, candidate.revision).up(needed)


def take_step(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Judge the candidate, and go on to the next step if the current one is done."""
    candidate = state.candidate
    if candidate is None or in_place(state):
        return state
    programme = programme_for(candidate, seen)
    judged = _judged(candidate, programme, seen) if seen.base else candidate
    if judged != candidate:
        return state.model_copy(update={"candidate": judged})
    step = current_step(candidate, programme)
    if step is None or not _may_go_on(candidate, programme, seen):
        return state
    if candidate.revision in seen.requests.promoted and candidate.step < programme.promotion:
        return _at_step(state, candidate, seen, programme.promotion)
    if not _is_done(state, candidate, step, seen):
        return state
    if isinstance(step, Promote):
        state = state.model_copy(update={"active_slot": candidate.slot})
        candidate = changed(candidate, promoted=True, weight=100, mirror=False, matching=False)
    return _at_step(state, candidate, seen, candidate.step + 1)


def _may_go_on(candidate: Candidate, programme: Programme, seen: RolloutView) -> bool:
    """Tell whether steps may follow: not while it is paused, nor while nothing is to serve."""
    asked = candidate.revision in seen.requests.promoted
    if seen.wanted is None or seen.base == 0:
        return False
    if asked or seen.requests.passes(candidate.revision, candidate.step):
        return True
    return not seen.requests.paused and not is_open(candidate.background)


def is_open(analysis: AnalysisState | None) -> bool:
    """Tell whether an analysis found too little traffic to judge by."""
    return analysis is not None and analysis.phase == "Inconclusive"


def waits_for_traffic(candidate: Candidate) -> bool:
    """Tell whether a candidate goes on, or back, once it has answered enough to be judged."""
    return is_open(candidate.analysis) or is_open(candidate.background)


def _is_done(state: RolloutStatus, candidate: Candidate, step: Step, seen: RolloutView) -> bool:
    if isinstance(step, Analyse):
        good = candidate.analysis is not None and candidate.analysis.phase == "Successful"
        return good or seen.requests.passes(candidate.revision, candidate.step)
    if isinstance(step, Pause):
        return _is_over(candidate, step, seen)
    if not _is_up(candidate, programme_for(candidate, seen), seen):
        return False
    if isinstance(step, SetReplicas):
        return True
    reached = isinstance(step, Promote) or _has_share(candidate, step)
    return reached and seen.settled(state)


def _is_over(candidate: Candidate, step: Pause, seen: RolloutView) -> bool:
    if seen.requests.passes(candidate.revision, candidate.step):
        return True
    began = parse_time(candidate.step_started_at)
    if step.seconds is None or began is None:
        return False
    return (seen.now - began).total_seconds() >= step.seconds


def _at_step(
    state: RolloutStatus, candidate: Candidate, seen: RolloutView, index: int
) -> RolloutStatus:
    began, analysis = timestamp(seen.now), candidate.analysis
    if analysis is not None and analysis.phase == "Successful":
        text = f"The analysis of step {candidate.ordinal} passed: {analysis.message}"
        candidate = noted(candidate, text)
    after = changed(candidate, step=index, step_started_at=began, analysis=None)
    return state.model_copy(update={"candidate": after})


def _judged(candidate: Candidate, programme: Programme, seen: RolloutView) -> Candidate:
    """Return the candidate with its analyses as far as the traffic tells."""
    step = current_step(candidate, programme)
    if isinstance(step, Analyse):
        after = _evaluated(step.spec, candidate.analysis, seen)
        candidate = changed(candidate, analysis=after)
    if programme.background is not None and candidate.weight and not candidate.promoted:
        after = _evaluated(programme.background, candidate.background, seen)
        candidate = changed(candidate, background=after)
    return candidate


def _evaluated(spec: Analysis, state: AnalysisState | None, seen: RolloutView) -> AnalysisState:
    return seen.evaluate(spec, state or AnalysisState())
