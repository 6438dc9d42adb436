"""The rollouts that have ended."""

from slipway.api.conditions import timestamp
from slipway.api.serving.rollout_status import (
    MAX_SENTENCE,
    MAX_URI,
    Candidate,
    HistoryEntry,
    Outcome,
    RolloutStatus,
)
from slipway.serving.rollout.candidate import noted
from slipway.serving.rollout.failure import Failure
from slipway.serving.rollout.view import RolloutView
from slipway.uris import shown


def ended(
    state: RolloutStatus, seen: RolloutView, outcome: Outcome, failure: Failure | None = None
) -> RolloutStatus:
    """Return the status with the end of the candidate's rollout in its history, newest first."""
    candidate = state.candidate
    if candidate is None:
        return state
    model = seen.models.get(candidate.revision)
    findings = _findings(candidate)
    entry = HistoryEntry(
        revision=candidate.revision,
        outcome=outcome,
        reason=failure.reason if failure else "",
        message=failure.message if failure else findings,
        model=model.told if model else None,
        runtime=seen.runtimes.get(candidate.revision),
        uri=shown(model.uri)[:MAX_URI] if model else "",
        sha256=model.sha256 if model else None,
        started_at=candidate.started_at,
        finished_at=timestamp(seen.now),
    )
    history = [entry, *state.history][: seen.limits.history]
    return state.model_copy(update={"history": history})


def keep_last_lines(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Keep what a server of the failed revision wrote last, if that is seen before its pods go.

    An analysis may have failed before a kubelet or a server's own page told that one had died.
    """
    failed = state.failed
    if failed is None or failed.log:
        return state
    log = seen.last_lines(failed.revision)[:MAX_SENTENCE]
    return state.model_copy(update={"failed": failed.model_copy(update={"log": log})})


def _findings(candidate: Candidate) -> str:
    """Return what was found of a candidate that did not fail, with the figures."""
    background = candidate.background
    if background is None or not background.measurements:
        return candidate.findings
    return noted(candidate, f"The analysis in the background: {background.message}").findings
