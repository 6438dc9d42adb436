"""Reading objects as Kubernetes has them: conditions, moments, and what turned.

Metrics are made of what is written to statuses, so an object of an older or newer version, which
lacks a field, is read as far as it goes.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from slipway.api.conditions import parse_time
from slipway.observed import condition

Status = Mapping[str, Any]


def status_of(obj: Mapping[str, Any]) -> Status:
    """Return an object's status; empty where it has none yet."""
    return obj.get("status") or {}


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Return an object's namespace."""
    return str(obj["metadata"]["namespace"])


def name_of(obj: Mapping[str, Any]) -> str:
    """Return an object's name."""
    return str(obj["metadata"]["name"])


def conditions_of(status: Status) -> Iterable[Mapping[str, Any]]:
    """Return the conditions of a status."""
    return status.get("conditions") or ()


def is_true(status: Status, type_: str) -> bool:
    """Tell whether a condition is there and true."""
    return condition(status, type_).get("status") == "True"


def became_true(before: Status, after: Status, type_: str) -> bool:
    """Tell whether a condition has turned true between two statuses."""
    return is_true(after, type_) and not is_true(before, type_)


def moment(text: Any) -> float | None:
    """Return an RFC 3339 text as seconds since 1970; None for no text, or one that is none."""
    try:
        found: datetime | None = parse_time(str(text)) if text else None
    except ValueError:
        return None
    return found.timestamp() if found else None


def turned(status: Status, type_: str, value: str) -> float | None:
    """Return since when a condition has this value, in seconds since 1970, or None."""
    found = condition(status, type_)
    return moment(found.get("lastTransitionTime")) if found.get("status") == value else None


def created(obj: Mapping[str, Any]) -> float | None:
    """Return when an object was made, in seconds since 1970."""
    return moment(obj["metadata"].get("creationTimestamp"))


def latest(*moments: float | None) -> float | None:
    """Return the last of the moments that are known."""
    return max((each for each in moments if each is not None), default=None)


def elapsed(begin: float | None, end: float | None) -> float | None:
    """Return the seconds from one moment to another, at least 0; None where one is unknown."""
    return None if begin is None or end is None else max(0.0, end - begin)


def number(value: Any) -> float | None:
    """Return a number that is written as one or as text; None for anything else."""
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
