"""Reading what Kubernetes reports in a status, as far as it goes: any field may be missing."""

from collections.abc import Mapping
from typing import Any


def condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """Return a status' condition of a type, whatever it says; empty where there is none."""
    found = status.get("conditions") or ()
    return next((one for one in found if one.get("type") == type_), {})


def container_statuses(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the statuses of all containers of a pod, in the order in which they start."""
    return (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    )
