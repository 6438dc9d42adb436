"""Building a status' conditions from the ones before, after Kubernetes' API conventions."""

from collections.abc import Iterable
from datetime import UTC, datetime

from slipway.api.common import Condition, ConditionStatus
from slipway.uris import scrubbed

MAX_MESSAGE = 8192
"""Longest message that is written to a condition, in characters."""


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names, or None for no text."""
    return datetime.fromisoformat(text) if text else None


class Conditions:
    """The conditions of one reconcile: those set now, with times kept where nothing turned.

    A condition that is not set again in this reconcile is dropped, so that what is reported always
    follows from what was observed.
    """

    def __init__(self, previous: Iterable[Condition], now: datetime, generation: int) -> None:
        self._previous = {condition.type: condition for condition in previous}
        self._now = timestamp(now)
        self._generation = generation
        self._current: dict[str, Condition] = {}

    def set(
        self, type_: str, status: bool | ConditionStatus, reason: str, message: str = ""
    ) -> None:
        """Set one condition; its transition time moves only when its status changes.

        URIs in the message lose what opens them.
        """
        value: ConditionStatus = (
            status if isinstance(status, str) else ("True" if status else "False")
        )
        before = self._previous.get(type_)
        kept = before is not None and before.status == value
        self._current[type_] = Condition(
            type=type_,
            status=value,
            reason=reason,
            message=scrubbed(message)[:MAX_MESSAGE],
            last_transition_time=before.last_transition_time if before and kept else self._now,
            observed_generation=self._generation,
        )

    def turned(self, type_: str) -> bool:
        """Tell whether a condition was set now with another status or reason than before."""
        current, before = self._current.get(type_), self._previous.get(type_)
        if current is None:
            return False
        return before is None or (before.status, before.reason) != (current.status, current.reason)

    def to_list(self) -> list[Condition]:
        """Return the conditions set now, in the order in which they were set."""
        return list(self._current.values())


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of a type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Tell whether a condition is there and true."""
    found = find(conditions, type_)
    return found is not None and found.status == "True"
