"""The Events that a turn of the conditions is worth."""

from collections.abc import Sequence

from slipway.api import Condition, Conditions, is_true
from slipway.observed.missing import grace_seconds
from slipway.plan import Event
from slipway.training import reasons

MAX_NOTE = 1000
"""Longest message of an Event, in bytes; the API takes 1024."""

_GOOD = {
    reasons.CREATED: "Created",
    reasons.RUNNING: "Started",
    reasons.SUSPENDED: "Suspended",
    reasons.PACKAGED: "Packaged",
    reasons.SUCCEEDED: "Succeeded",
}
"""The Event of each condition that turned true."""


def events(previous: Sequence[Condition], conditions: Conditions) -> tuple[Event, ...]:
    """Return the Events for the conditions that have another status or reason than before.

    What a group waits for is told by the conditions that it waits for, and its restart by the step
    that decides on it.
    """
    current = conditions.to_list()
    turned = [condition for condition in current if conditions.turned(condition.type)]
    if is_true(current, reasons.RESTARTING):
        turned = [condition for condition in turned if condition.reason != reasons.RESTARTING]
    made = (_event(condition, previous) for condition in turned)
    return tuple(event for event in made if event)


def _event(condition: Condition, previous: Sequence[Condition]) -> Event | None:
    if condition.type in (reasons.QUEUED, reasons.RESTARTING):
        return None
    note = condition.message.encode()[:MAX_NOTE].decode(errors="ignore")
    if condition.type == reasons.FAILED:
        return Event("Warning", "Failed", note)
    if condition.reason in reasons.PROBLEMS:
        grace = grace_seconds(condition.reason, condition.message, reasons.NOT_THERE)
        return Event("Warning", condition.reason, note, grace)
    if condition.status == "True":
        before = is_true(previous, condition.type)
        return None if before else Event("Normal", _GOOD[condition.type], note)
    if condition.reason == reasons.PACKAGING:
        return Event("Normal", "Packaging", note)
    if condition.type == reasons.SUSPENDED and is_true(previous, reasons.SUSPENDED):
        return Event("Normal", "Resumed", note)
    return None
