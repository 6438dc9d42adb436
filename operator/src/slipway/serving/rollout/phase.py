"""The summary of a rollout's status."""

from slipway.api.serving.rollout_status import Candidate, RolloutPhase, RolloutStatus
from slipway.serving.rollout.candidate import changed, current_step, in_place, programme_for
from slipway.serving.rollout.steps import Pause, Promote
from slipway.serving.rollout.view import RolloutView


def phase_of(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Return the status with its summary: phase, the step in words, the shares."""
    candidate = state.candidate
    if candidate is not None and not in_place(state):
        programme = programme_for(candidate, seen)
        step = current_step(candidate, programme)
        words = "" if step is None else str(step)
        candidate = changed(candidate, current=words, steps=len(programme.steps))
    mine = 0 if candidate is None or candidate.mirror else candidate.weight
    changes = {
        "candidate": candidate,
        "phase": _phase(state, seen),
        "stable_weight": 100 - mine,
    }
    return state.model_copy(update=changes)


def _phase(state: RolloutStatus, seen: RolloutView) -> RolloutPhase:
    candidate = state.candidate
    if candidate is None:
        if state.failed is not None:
            return "RolledBack"
        return "Initial" if state.stable_revision is None else "Complete"
    if waits_for_a_person(candidate, state, seen):
        return "Paused"
    if in_place(state):
        return "Initial" if state.stable_revision is None else "Progressing"
    if candidate.promoted:
        return "Verifying"
    step = current_step(candidate, programme_for(candidate, seen))
    return "Promoting" if isinstance(step, Promote) else "Progressing"


def waits_for_a_person(candidate: Candidate, state: RolloutStatus, seen: RolloutView) -> bool:
    """Tell whether nothing goes on by itself; what waits for traffic does once there is some."""
    if seen.requests.paused and candidate.revision not in seen.requests.promoted:
        return True
    if in_place(state):
        return False
    return current_step(candidate, programme_for(candidate, seen)) == Pause()
