"""The state machine: which revision is tried, which is stable, and what follows when.

Each rule looks at the status and at the world and returns the next status, or the same one where it
has nothing to say. They are applied until nothing changes, so that one look does all that can be
done now. Nothing is remembered but the status: the operator may be started anew between any two
looks.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from slipway.api.conditions import parse_time, timestamp
from slipway.api.serving.rollout_status import (
    MAX_SENTENCE,
    Candidate,
    Failed,
    Retired,
    RolloutStatus,
)
from slipway.serving.children.slots import leaving, other_slot
from slipway.serving.rollout import steps
from slipway.serving.rollout.candidate import changed, desired_replicas, in_place, programme_for
from slipway.serving.rollout.failure import Failure, failure_of
from slipway.serving.rollout.history import ended, keep_last_lines
from slipway.serving.rollout.phase import phase_of
from slipway.serving.rollout.stepping import share, take_step
from slipway.serving.rollout.take_over import take_over, watch_stable
from slipway.serving.rollout.view import RolloutView

ROUTES_GRACE_SECONDS = 10
"""How long a revision that gets no requests any more stays up, for those that are on their way."""
MOST_CHANGES = 200

Rule = Callable[[RolloutStatus, RolloutView], RolloutStatus]


def advance(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Return the status that follows from a status and what is seen now."""
    for _ in range(MOST_CHANGES):
        after = _next(state, seen)
        if after == state:
            break
        state = after
    return phase_of(state, seen)


def _next(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Return the status after the first rule that changes it."""
    for rule in RULES:
        after = rule(state, seen)
        if after != state:
            return after
    return state


def heed_retry(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Try a failed revision again, or an analysis that could not tell, once for each new word."""
    word, candidate = seen.requests.retry, state.candidate
    if word is None or word == state.retry:
        return state
    if candidate is not None:
        candidate = changed(candidate, analysis=None, background=None)
    return _updated(state, retry=word, failed=None, candidate=candidate)


def forget_failure(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Forget a failed revision when another one is asked for."""
    if state.failed is None or seen.wanted in (None, state.failed.revision):
        return state
    return _updated(state, failed=None)


def withdraw(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Leave a candidate that is not asked for any more: what follows starts from stable."""
    candidate = state.candidate
    if candidate is None or seen.wanted in (None, candidate.revision):
        return state
    return _dropped(state, candidate, seen)


def reprogramme(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Begin with the first step again where the steps are others than before."""
    candidate = state.candidate
    if candidate is None or in_place(state) or candidate.direct:
        return state
    programme = seen.programme
    if programme is None:
        return state if candidate.promoted else _dropped(state, candidate, seen)
    if candidate.steps_hash == programme.hash:
        return state
    if candidate.promoted:
        after = changed(candidate, step=programme.promotion + 1, steps_hash=programme.hash)
        return _updated(state, candidate=changed(after, analysis=None))
    return _updated(state, candidate=_fresh(candidate, seen, programme))


def adopt(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Begin the rollout of the revision that is asked for."""
    revision = seen.wanted
    if state.candidate is not None or revision is None or revision == state.stable_revision:
        return state
    if state.failed is not None and state.failed.revision == revision:
        return state
    moment = timestamp(seen.now)
    spare = other_slot(state.active_slot)
    new = Candidate(
        revision=revision, slot=spare, base=seen.base, started_at=moment, step_started_at=moment
    )
    if _was_stable_just_now(state, seen, revision):
        new = changed(new, direct=True, steps=1, steps_hash=steps.DIRECT.hash)
    elif _must_be_in_place(state, seen):
        return _updated(state, candidate=changed(new, slot=state.active_slot))
    elif seen.programme is not None:
        new = _fresh(new, seen, seen.programme)
    return _updated(state, candidate=new, retired=leaving(state))


def _was_stable_just_now(state: RolloutStatus, seen: RolloutView, revision: str) -> bool:
    retired = state.retired
    if retired is None or not retired.was_stable or retired.revision != revision:
        return False
    return seen.progress(retired.slot, revision).up(1)


def _must_be_in_place(state: RolloutStatus, seen: RolloutView) -> bool:
    """Tell whether nothing can be tried beside: nothing serves, or what serves is not known."""
    stable = state.stable_revision
    if seen.programme is None or stable is None or seen.base == 0:
        return True
    return not seen.recorded(stable)


def _fresh(candidate: Candidate, seen: RolloutView, programme: steps.Programme) -> Candidate:
    """Return a candidate before its first step."""
    return changed(
        candidate,
        step=0,
        steps=len(programme.steps),
        steps_hash=programme.hash,
        weight=0,
        mirror=False,
        matching=False,
        analysis=None,
        background=None,
        findings="",
        step_started_at=timestamp(seen.now),
    )


def keep_count(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Follow how many pods are to serve, and since when the candidate has too few."""
    candidate = state.candidate
    if candidate is None or in_place(state):
        return state
    candidate = changed(candidate, base=seen.base)
    programme = programme_for(candidate, seen)
    enough = seen.progress(candidate.slot, candidate.revision).up(
        desired_replicas(candidate, programme)
    )
    since = None if enough else candidate.waiting_since or timestamp(seen.now)
    return _updated(state, candidate=changed(candidate, waiting_since=since))


def roll_back(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Go back to stable where there is a reason to."""
    candidate, failure = state.candidate, failure_of(state, seen)
    if candidate is None or failure is None:
        return state
    return _dropped(state, candidate, seen, failure)


def retire(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Let the pods of a revision go once nothing is sent to it."""
    retired = state.retired
    until = parse_time(retired.until) if retired else None
    if until is None or seen.now < until or not seen.settled(state):
        return state
    return _updated(state, retired=None)


def complete_in_place(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Call a revision stable once all pods of its slot are of it."""
    candidate = state.candidate
    if candidate is None or not in_place(state):
        return state
    if not seen.progress(candidate.slot, candidate.revision).complete:
        return state
    state = ended(state, seen, "Promoted")
    return _updated(state, stable_revision=candidate.revision, candidate=None)


def finish(state: RolloutStatus, seen: RolloutView) -> RolloutStatus:
    """Call a candidate stable after its last step; the revision before stays up for a while."""
    candidate = state.candidate
    if candidate is None or not candidate.promoted:
        return state
    if candidate.step < len(programme_for(candidate, seen).steps):
        return state
    before = None
    if state.stable_revision is not None:
        until = seen.now + timedelta(seconds=seen.limits.scale_down_delay)
        before = Retired(
            revision=state.stable_revision,
            slot=other_slot(candidate.slot),
            until=timestamp(until),
            was_stable=True,
        )
    state = ended(state, seen, "Promoted")
    return _updated(state, stable_revision=candidate.revision, candidate=None, retired=before)


def _dropped(
    state: RolloutStatus, candidate: Candidate, seen: RolloutView, failure: Failure | None = None
) -> RolloutStatus:
    """Return the status without the candidate; all requests go to stable from now on."""
    state = ended(state, seen, "RolledBack" if failure else "Superseded", failure)
    changes: dict[str, Any] = {"candidate": None}
    if failure is not None:
        changes["failed"] = Failed(
            revision=candidate.revision,
            reason=failure.reason,
            message=failure.message,
            log=seen.last_lines(candidate.revision)[:MAX_SENTENCE],
            time=timestamp(seen.now),
        )
    if not in_place(state):
        stable_slot = other_slot(candidate.slot)
        until = timestamp(seen.now + timedelta(seconds=ROUTES_GRACE_SECONDS))
        changes["active_slot"] = stable_slot
        last = Retired(revision=candidate.revision, slot=candidate.slot, until=until)
        changes["retired"] = leaving(state) or last
    return _updated(state, **changes)


def _updated(state: RolloutStatus, **changes: Any) -> RolloutStatus:
    return state.model_copy(update=changes)


RULES: tuple[Rule, ...] = (
    heed_retry,
    forget_failure,
    withdraw,
    reprogramme,
    adopt,
    keep_count,
    share,
    roll_back,
    watch_stable,
    take_over,
    keep_last_lines,
    retire,
    complete_in_place,
    take_step,
    finish,
)
"""All rules, the first that has something to say first."""
