"""Questions about the revision that is being rolled out."""

from math import ceil
from typing import Any

from slipway.api.excerpt import excerpt
from slipway.api.serving.rollout_status import MAX_SENTENCE, Candidate, RolloutStatus
from slipway.serving.rollout.steps import DIRECT, Programme, Promote, SetReplicas, SetWeight, Step
from slipway.serving.rollout.view import RolloutView


def changed(candidate: Candidate, **changes: Any) -> Candidate:
    """Return a candidate with some fields set anew."""
    return candidate.model_copy(update=changes)


def noted(candidate: Candidate, text: str) -> Candidate:
    """Return a candidate with one more thing found of it, as far as there is room for it."""
    both = f"{candidate.findings} {text}".strip()
    return changed(candidate, findings=excerpt(both, MAX_SENTENCE))


def has_share(candidate: Candidate) -> bool:
    """Tell whether any request goes to the candidate, or may by its headers."""
    return candidate.weight > 0 or candidate.matching


def in_place(state: RolloutStatus) -> bool:
    """Tell whether the candidate replaces pods in the slot that serves."""
    candidate = state.candidate
    if candidate is None:
        return False
    return candidate.slot == state.active_slot and not candidate.promoted


def programme_for(candidate: Candidate, seen: RolloutView) -> Programme:
    """Return the steps that a candidate goes through."""
    return DIRECT if candidate.direct or seen.programme is None else seen.programme


def current_step(candidate: Candidate, programme: Programme) -> Step | None:
    """Return the step that a candidate is at; None after the last one."""
    steps = programme.steps
    return steps[candidate.step] if candidate.step < len(steps) else None


def is_ready(candidate: Candidate, seen: RolloutView) -> bool:
    """Tell whether requests may go to the candidate: it, and no other revision, is in its slot."""
    return seen.progress(candidate.slot, candidate.revision).up(1)


def desired_replicas(candidate: Candidate, programme: Programme) -> int:
    """Return how many pods the candidate needs for the step that it is at.

    It has its share of all pods, at least one, or as many as a step said; none where none are to
    serve.
    """
    step, base = current_step(candidate, programme), candidate.base
    if base == 0:
        return 0
    if candidate.promoted or isinstance(step, Promote):
        return base
    if isinstance(step, SetReplicas):
        return step.replicas or base
    said = _said_replicas(candidate, programme, base)
    if said is not None:
        return said
    shares = [_share_of(earlier) for earlier in programme.steps[: candidate.step + 1]]
    known = [share for share in shares if share is not None]
    most = max(known[-2:], default=0) if isinstance(step, SetWeight) else (known or [0])[-1]
    return max(1, ceil(base * most / 100))


def _said_replicas(candidate: Candidate, programme: Programme, base: int) -> int | None:
    """Return what the last setReplicas said; None where there was none."""
    said = [step for step in programme.steps[: candidate.step] if isinstance(step, SetReplicas)]
    return (said[-1].replicas or base) if said else None


def _share_of(step: Step) -> int | None:
    """Return the share of the pods that a step's share of the requests needs, in percent.

    Nobody knows how many requests a match catches, so that all pods are needed for it.
    """
    if not isinstance(step, SetWeight):
        return None
    return 100 if step.matching else step.weight
