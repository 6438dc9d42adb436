"""How far a revision is in a slot, by the word of the slot's Deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.manifests import REVISION
from slipway.observed import condition
from slipway.plan import Manifest


@dataclass(frozen=True)
class Progress:
    """Counts of one Deployment's pods, and whether a revision's rollout in it is complete or stuck.

    ``revision`` is the one that was asked about; ``wanted`` is how many pods there should be,
    ``replicas`` how many the Deployment is told to have. ``available`` counts pods that have been
    ready for some seconds. ``pure`` tells that all pods are of the revision.
    """

    revision: str | None = None
    wanted: int = 0
    replicas: int = 0
    total: int = 0
    updated: int = 0
    available: int = 0
    exists: bool = False
    pure: bool = False
    complete: bool = False
    stuck: bool = False
    refusal: str = ""

    def up(self, count: int) -> bool:
        """Tell whether so many pods of the revision are available, and none of another one is."""
        return self.pure and self.available >= count


def observe(
    live: Manifest | None,
    revision: str | None,
    wanted: int,
    *,
    was_complete: bool = False,
    was_seen: bool = False,
    none_ready: bool = False,
) -> Progress:
    """Return where the rollout of a revision stands in a Deployment, of which there may be none.

    Once it ``was_complete``, scaling up does not undo that. A Deployment that ``was_seen`` with
    this template is believed though its controller has not seen another count of pods yet. Where
    the pods themselves say that ``none_ready``, the controller's count of those that are is old.
    """
    if live is None:
        return Progress(revision=revision, wanted=wanted)
    status = live.get("status") or {}
    current = revision == live_revision(live) and (was_complete or was_seen or _is_seen(live))
    total = _count(status, "replicas")
    available = 0 if none_ready else _count(status, "availableReplicas")
    updated = _count(status, "updatedReplicas") if current else 0
    pure = current and updated == total
    return Progress(
        revision=revision,
        wanted=wanted,
        replicas=int((live.get("spec") or {}).get("replicas", 1)),
        total=total,
        updated=updated,
        available=available,
        exists=True,
        pure=pure,
        complete=pure and _enough(wanted, total, available, was_complete),
        stuck=current and _is_overdue(status),
        refusal=_said(status, "ReplicaFailure", "True", "message"),
    )


def _enough(wanted: int, total: int, available: int, was_complete: bool) -> bool:
    """Tell whether enough pods are up; once all were, scaling up does not undo it."""
    if wanted == 0:
        return total == 0
    return available >= (1 if was_complete else wanted)


def _is_overdue(status: Mapping[str, Any]) -> bool:
    """Tell whether the Deployment has made no progress for as long as it may."""
    return _said(status, "Progressing", "False", "reason") == "ProgressDeadlineExceeded"


def _is_seen(live: Manifest) -> bool:
    """Tell whether the Deployment's status speaks of its spec as it is now."""
    seen = _count(live.get("status") or {}, "observedGeneration")
    return seen >= int(live["metadata"].get("generation") or 0)


def live_revision(live: Manifest) -> str | None:
    """Return the revision whose template the Deployment has."""
    template = (live.get("spec") or {}).get("template") or {}
    revision: str | None = ((template.get("metadata") or {}).get("labels") or {}).get(REVISION)
    return revision


def _count(status: Mapping[str, Any], field: str) -> int:
    return int(status.get(field) or 0)


def _said(status: Mapping[str, Any], type_: str, value: str, field: str) -> str:
    """Return what a condition says in a field while it has a value; empty otherwise."""
    reported = condition(status, type_)
    return str(reported.get(field) or "") if reported.get("status") == value else ""
