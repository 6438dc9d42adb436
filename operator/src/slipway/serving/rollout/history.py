"""The rollouts that have ended."""

from slipway.api.conditions import timestamp
from slipway.api.rollout_status import HistoryEntry, Outcome, RolloutStatus
from slipway.serving.rollout.failure import Failure
from slipway.serving.rollout.seen import Seen


def ended(
    state: RolloutStatus, seen: Seen, outcome: Outcome, failure: Failure | None = None
) -> RolloutStatus:
    """Return the status with the end of the candidate's rollout in its history, newest first."""
    candidate = state.candidate
    if candidate is None:
        return state
    model = seen.models.get(candidate.revision)
    entry = HistoryEntry(
        revision=candidate.revision,
        outcome=outcome,
        reason=failure.reason if failure else "",
        message=failure.message if failure else "",
        uri=model.uri if model else "",
        sha256=model.sha256 if model else None,
        started_at=candidate.started_at,
        finished_at=timestamp(seen.now),
    )
    history = [entry, *state.history][: seen.limits.history]
    return state.model_copy(update={"history": history})
