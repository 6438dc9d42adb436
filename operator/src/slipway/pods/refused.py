"""Pods that their owner cannot make: when to ask why, and the API server's own sentence."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from slipway.api import parse_time
from slipway.observed import condition
from slipway.plan import Manifest

MOST_CHARACTERS = 1024
"""Longest sentence that a condition repeats."""
_HEADS = ("(combined from similar events): ", "Error creating: ")
"""What Kubernetes' controllers write before the API server's sentence."""
PODS_REFUSED, QUOTA_EXCEEDED = "PodsRefused", "QuotaExceeded"


def reason(message: str) -> str:
    """Return the word for what the API server said of pods that it refuses."""
    return QUOTA_EXCEEDED if "exceeded quota: " in message else PODS_REFUSED


def sentence(message: str) -> str:
    """Return what the API server said, in one printable line of bounded length."""
    text = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    for head in _HEADS:
        text = text.removeprefix(head)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def lacks_pods_since(job: Manifest, pods: Iterable[Manifest]) -> datetime | None:
    """Return since when a Job should have more pods than it has; None where it has them all.

    A Job that has ended, is going, or is suspended wants none.
    """
    spec, status, meta = job.get("spec") or {}, job.get("status") or {}, job["metadata"]
    over = any(
        condition(status, type_).get("status") == "True"
        for type_ in ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet", "Suspended")
    )
    if over or spec.get("suspend") or meta.get("deletionTimestamp"):
        return None
    left = int(spec.get("completions") or 1) - int(status.get("succeeded") or 0)
    wanted = min(int(spec.get("parallelism", 1)), left)
    if sum(_is_of(pod, meta["uid"]) for pod in pods) >= wanted:
        return None
    return parse_time(status.get("startTime") or meta.get("creationTimestamp"))


def _is_of(pod: Manifest, uid: str) -> bool:
    """Tell whether a pod belongs to an owner, and has not ended."""
    owners = pod["metadata"].get("ownerReferences") or ()
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not ended and any(owner.get("uid") == uid for owner in owners)


def last_refusal(events: Iterable[Mapping[str, Any]], since: datetime) -> str:
    """Return the newest sentence of FailedCreate events that is not older than ``since``.

    Empty where there is none. The events are of events.k8s.io/v1.
    """
    told = [(moment, event) for event in events if (moment := _moment(event)) and moment >= since]
    newest = max(told, key=lambda one: one[0], default=None)
    return sentence(str(newest[1].get("note") or "")) if newest else ""


def _moment(event: Mapping[str, Any]) -> datetime | None:
    series = event.get("series") or {}
    texts = (
        series.get("lastObservedTime"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return parse_time(next((text for text in texts if text), None))
