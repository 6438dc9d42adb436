"""What the user asks of a rollout by hand: by fields of the spec or by annotations."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.api import ModelDeployment

PAUSED = "slipway.dev/rollout-paused"
ABORT = "slipway.dev/rollout-abort"
PROMOTE = "slipway.dev/rollout-promote"
RETRY = "slipway.dev/rollout-retry"
ROLLBACK_TO = "slipway.dev/rollout-rollback-to"
MAX_TOKEN = 63


@dataclass(frozen=True)
class Requests:
    """All requests; each names what it is about, so that it may stay where it is."""

    paused: bool = False
    aborted: frozenset[str] = frozenset()
    promoted: frozenset[str] = frozenset()
    retry: str | None = None
    rollback_to: str | None = None

    def passes(self, revision: str, step: int) -> bool:
        """Tell whether a step need not be waited for any longer."""
        return f"{revision}/{step}" in self.promoted


def requests_of(deployment: ModelDeployment) -> Requests:
    """Return what is asked for; a field and its annotation hold beside each other.

    Of the two words for a retry, or to go back to, the annotation's counts.
    """
    fields, notes = deployment.spec.rollout, deployment.metadata.annotations
    return Requests(
        paused=fields.paused or notes.get(PAUSED) == "true",
        aborted=_both(fields.abort, notes, ABORT),
        promoted=_both(fields.promote, notes, PROMOTE),
        retry=(notes.get(RETRY) or fields.retry or "")[:MAX_TOKEN] or None,
        rollback_to=notes.get(ROLLBACK_TO) or fields.rollback_to,
    )


def _both(field: str | None, notes: Mapping[str, str], key: str) -> frozenset[str]:
    return frozenset(value for value in (field, notes.get(key)) if value)
