"""How far a revision's rollout is, by the Deployment's own word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.api import ModelDeployment, find
from slipway.manifests import REVISION
from slipway.plan import Manifest
from slipway.serving import reasons


@dataclass(frozen=True)
class Progress:
    """Counts of pods, and whether the rollout is complete or stuck.

    ``revision`` is the wanted one, or the live one where nothing is wanted; ``wanted`` is how many
    pods there should be. ``available`` counts pods that have been ready for some seconds.
    """

    revision: str | None = None
    wanted: int = 0
    total: int = 0
    updated: int = 0
    available: int = 0
    exists: bool = False
    complete: bool = False
    stuck: bool = False
    refusal: str = ""


def observe(deployment: ModelDeployment, live: Manifest | None, revision: str | None) -> Progress:
    """Return where the rollout of a revision stands; with None, of the one that is live."""
    if live is None:
        return Progress(revision=revision, wanted=_wanted(deployment, 1))
    status = live.get("status") or {}
    was_complete = _was_complete(deployment, revision or live_revision(live))
    current = revision in (None, live_revision(live)) and (was_complete or _is_seen(live))
    wanted = _wanted(deployment, int((live.get("spec") or {}).get("replicas", 1)))
    total, available = _count(status, "replicas"), _count(status, "availableReplicas")
    updated = _count(status, "updatedReplicas") if current else 0
    return Progress(
        revision=revision or live_revision(live),
        wanted=wanted,
        total=total,
        updated=updated,
        available=available,
        exists=True,
        complete=current and updated == total and _enough(wanted, total, available, was_complete),
        stuck=current and _reason(status, "Progressing", "False") == "ProgressDeadlineExceeded",
        refusal=_message(status, "ReplicaFailure"),
    )


def _wanted(deployment: ModelDeployment, live: int) -> int:
    """Return how many pods there should be: the autoscaler's number where there is one."""
    auto = deployment.spec.autoscaling
    return deployment.spec.replicas if auto is None else max(live, auto.min_replicas)


def _enough(wanted: int, total: int, available: int, was_complete: bool) -> bool:
    """Tell whether enough pods are up; once all were, scaling up does not undo it."""
    if wanted == 0:
        return total == 0
    return available >= (1 if was_complete else wanted)


def _was_complete(deployment: ModelDeployment, revision: str | None) -> bool:
    """Tell whether the revision's rollout was complete when the status was last written."""
    progressing = find(deployment.status.conditions, reasons.PROGRESSING)
    done = progressing is not None and progressing.reason == reasons.ROLLOUT_COMPLETE
    return done and deployment.status.revision == revision


def _is_seen(live: Manifest) -> bool:
    """Tell whether the Deployment's status speaks of its spec as it is now."""
    seen = _count(live.get("status") or {}, "observedGeneration")
    return seen >= int(live["metadata"].get("generation") or 0)


def live_revision(live: Manifest) -> str | None:
    """Return the revision whose template the Deployment has."""
    template = (live.get("spec") or {}).get("template") or {}
    found: str | None = ((template.get("metadata") or {}).get("labels") or {}).get(REVISION)
    return found


def _count(status: Mapping[str, Any], field: str) -> int:
    return int(status.get(field) or 0)


def _reason(status: Mapping[str, Any], type_: str, value: str) -> str:
    found = (c for c in status.get("conditions") or () if c.get("type") == type_)
    return next((str(c.get("reason") or "") for c in found if c.get("status") == value), "")


def _message(status: Mapping[str, Any], type_: str) -> str:
    found = (c for c in status.get("conditions") or () if c.get("type") == type_)
    return next((str(c.get("message") or "") for c in found if c.get("status") == "True"), "")
