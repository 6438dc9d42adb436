"""Why a candidate goes back: by request, by an analysis, or since its pods do not come up."""

from dataclasses import dataclass

from slipway.api.conditions import parse_time
from slipway.api.serving.analysis import AnalysisState
from slipway.api.serving.rollout_status import Candidate, RolloutStatus
from slipway.serving import reasons
from slipway.serving.rollout.candidate import in_place
from slipway.serving.rollout.view import RolloutView
from slipway.uris import scrubbed

MAX_MESSAGE = 4096
CERTAIN_STARTS = 3
"""A model that failed to load in so many starts of its server will not load in the next one."""


@dataclass(frozen=True)
class Failure:
    """A reason of `slipway.serving.reasons` and a sentence with the figures."""

    reason: str
    message: str


def failure_of(state: RolloutStatus, seen: RolloutView) -> Failure | None:
    """Return why the candidate is to go back to stable; None while there is no reason."""
    candidate = state.candidate
    if candidate is None:
        return None
    if candidate.revision in seen.requests.aborted:
        return _aborted(state, seen)
    if in_place(state):
        return None
    failure = _fatal(candidate, seen) or _judgment(candidate) or _too_slow(candidate, seen)
    if failure is None:
        return None
    text = f"Revision {candidate.revision} was rolled back: {failure.message}"
    return Failure(failure.reason, scrubbed(text)[:MAX_MESSAGE])


def _aborted(state: RolloutStatus, seen: RolloutView) -> Failure | None:
    """Return the failure of an aborted candidate, if there is something to go back to."""
    candidate, stable = state.candidate, state.stable_revision
    if candidate is None or stable is None or not seen.recorded(stable):
        return None
    text = (
        f"Revision {candidate.revision} was aborted by request at {candidate.weight} % of the "
        "requests."
    )
    return Failure(reasons.ABORTED, text)


def _fatal(candidate: Candidate, seen: RolloutView) -> Failure | None:
    problem = seen.problem(candidate.revision)
    if problem is None:
        return None
    hopeless = problem.failed_starts >= CERTAIN_STARTS and not _has_pods(candidate, seen)
    if problem.reason not in reasons.FATAL and not hopeless:
        return None
    tries = f"its server failed {CERTAIN_STARTS} times: " if hopeless else ""
    return Failure(problem.reason, f"{tries}{problem.message}")


def _has_pods(candidate: Candidate, seen: RolloutView) -> bool:
    return seen.progress(candidate.slot, candidate.revision).available > 0


def _judgment(candidate: Candidate) -> Failure | None:
    for analysis in (candidate.analysis, candidate.background):
        if analysis is not None and analysis.phase == "Failed":
            return Failure(reasons.ANALYSIS_FAILED, _figures(candidate, analysis))
    return None


def _figures(candidate: Candidate, analysis: AnalysisState) -> str:
    share = f"{'a mirrored ' if candidate.mirror else ''}{candidate.weight} % of the requests"
    return f"at {share} its analysis failed: {analysis.message}"


def _too_slow(candidate: Candidate, seen: RolloutView) -> Failure | None:
    since = parse_time(candidate.waiting_since)
    limit = seen.limits.deadline
    if since is None or (seen.now - since).total_seconds() < limit:
        return None
    problem = seen.problem(candidate.revision)
    why = f" {problem.message}" if problem else ""
    text = f"too few of its pods were ready for {limit} s.{why}"
    return Failure(reasons.PROGRESS_DEADLINE_EXCEEDED, text)
