"""The Events that a turn of the conditions is worth."""

from collections.abc import Sequence

from slipway.api import Condition, Conditions, find, parse_time
from slipway.api.serving.rollout_status import Candidate, RolloutStatus
from slipway.observed.missing import grace_seconds
from slipway.plan import Event
from slipway.serving import reasons

MAX_NOTE = 1000
"""Longest message of an Event, in bytes; the API takes 1024."""

_QUIET = frozenset({reasons.WAITING_FOR_MODEL, reasons.PODS_AVAILABLE, reasons.SCALED_TO_ZERO})
_TOLD_BY = (
    reasons.MODEL_READY,
    reasons.PROGRESSING,
    reasons.AVAILABLE,
    reasons.ANALYSIS_READY,
)


def events(previous: Sequence[Condition], conditions: Conditions) -> tuple[Event, ...]:
    """Return the Events for conditions with another status or reason than before, each once.

    A worker that dies of something else meanwhile is news too. The summary Ready is left out, for
    it says what another condition has said.
    """
    speaking = (condition for condition in conditions.to_list() if condition.type in _TOLD_BY)
    turned = (
        condition
        for condition in speaking
        if (conditions.turned(condition.type) or _died_again(condition, previous))
        and condition.reason not in _QUIET
    )
    made = {
        condition.reason: _event(condition) for condition in turned if _is_news(condition, previous)
    }
    return tuple(made.values())


def shifts(before: RolloutStatus, after: RolloutStatus) -> tuple[Event, ...]:
    """Return the Event for a candidate whose share of the requests is another than before."""
    old, new = before.candidate, after.candidate
    if new is None or not new.steps or new.promoted or _share(old) == _share(new):
        return ()
    if old is not None and old.revision != new.revision and _share(new) == _share(None):
        return ()
    verb = "are mirrored" if new.mirror else "go"
    matched = ", and those that match," if new.matching else ""
    text = f"{new.weight} % of the requests{matched} {verb} to revision {new.revision}."
    return (Event("Normal", reasons.TRAFFIC_SHIFTED, text),)


def findings(before: RolloutStatus, after: RolloutStatus) -> tuple[Event, ...]:
    """Return the Event for what was newly found of a candidate, which may have been promoted."""
    old = before.candidate
    if old is None:
        return ()
    new, last = after.candidate, next(iter(after.history), None)
    text = ""
    if new is not None and new.revision == old.revision:
        text = new.findings
    elif last is not None and last.revision == old.revision and last.outcome == "Promoted":
        text = last.message
    news = text.removeprefix(old.findings).strip()
    if not news or text == old.findings:
        return ()
    taken = before.stable_down_since is not None and after.active_slot == old.slot
    reason = reasons.TOOK_OVER if taken else reasons.ANALYSIS_PASSED
    return (_noted(reason, f"Revision {old.revision}: {news}"),)


def recovery(
    state: RolloutStatus, previous: Sequence[Condition], conditions: Conditions
) -> tuple[Event, ...]:
    """Return the Event for a deployment that served, and is ready again after a worker had died.

    For want of memory the kubelet ends the whole container with its worker.
    """
    before, now = find(previous, reasons.READY), find(conditions.to_list(), reasons.READY)
    if state.stable_revision is None or state.candidate is not None:
        return ()
    if before is None or before.reason not in (reasons.WORKER_DIED, reasons.OUT_OF_MEMORY):
        return ()
    if now is None or now.status != "True":
        return ()
    since, until = parse_time(before.last_transition_time), parse_time(now.last_transition_time)
    if since is None or until is None:
        return ()
    out = (until - since).total_seconds()
    return (_noted(reasons.WORKER_BACK, f"Predictions are answered again, after {out:.0f} s."),)


def worker_died(text: str) -> Event:
    """Return the Event for workers whose death the conditions do not tell of."""
    return _noted(reasons.WORKER_DIED, text)


def _share(candidate: Candidate | None) -> tuple[int, bool, bool]:
    if candidate is None:
        return (0, False, False)
    return (candidate.weight, candidate.mirror, candidate.matching)


def _is_news(condition: Condition, previous: Sequence[Condition]) -> bool:
    """Tell whether a turn matters: that no pod answers is news only after one did."""
    if condition.reason != reasons.NO_PODS_AVAILABLE:
        return True
    before = find(previous, condition.type)
    return before is not None and before.status == "True"


def _died_again(condition: Condition, previous: Sequence[Condition]) -> bool:
    if condition.reason != reasons.WORKER_DIED:
        return False
    before = find(previous, condition.type)
    return before is not None and before.message != condition.message


def _event(condition: Condition) -> Event:
    return _noted(condition.reason, condition.message)


def _noted(reason: str, text: str) -> Event:
    note = text.encode()[:MAX_NOTE].decode(errors="ignore")
    if reason not in reasons.WARNINGS:
        return Event("Normal", reason, note)
    return Event("Warning", reason, note, grace_seconds(reason, text, reasons.NOT_THERE))
