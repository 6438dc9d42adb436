"""What happens to a candidate while no pod of the stable revision is ready."""

from slipway.api.conditions import parse_time, timestamp
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.serving.rollout.candidate import changed, in_place, is_ready, noted, programme_for
from slipway.serving.rollout.view import RolloutView

TAKE_OVER_SECONDS = 60
"""A candidate that has been ready for so long, while no stable pod was, takes over."""


def watch_stable(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Note since when a candidate is ready while no stable pod is."""
    since = (state.stable_down_since or timestamp(seen.now)) if _is_alone(state, seen) else None
    return state.model_copy(update={"stable_down_since": since})


def _is_alone(state: RolloutStatus, seen: RolloutView) -> bool:
    candidate, stable = state.candidate, state.stable_revision
    if candidate is None or stable is None or candidate.promoted or in_place(state):
        return False
    serving = seen.progress(state.active_slot, stable)
    return seen.base > 0 and serving.available == 0 and is_ready(candidate, seen)


def take_over(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Turn the Service to a candidate that alone could have answered for a while.

    It needs no more than one ready pod, since the stable revision has none; what is left of its
    steps is skipped, as nothing could be judged. ``rollout.paused`` holds it.
    """
    candidate, since = state.candidate, parse_time(state.stable_down_since)
    if candidate is None or since is None or seen.requests.paused or seen.wanted is None:
        return state
    if (seen.now - since).total_seconds() < TAKE_OVER_SECONDS:
        return state
    text = (
        f"It took over at step {candidate.ordinal}: for {TAKE_OVER_SECONDS} s no pod of revision "
        f"{state.stable_revision} was ready."
    )
    after = changed(
        noted(candidate, text),
        promoted=True,
        weight=100,
        mirror=False,
        matching=False,
        analysis=None,
        step=programme_for(candidate, seen).promotion + 1,
        step_started_at=timestamp(seen.now),
    )
    changes = {"candidate": after, "active_slot": candidate.slot, "stable_down_since": None}
    return state.model_copy(update=changes)
