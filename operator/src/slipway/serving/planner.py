"""From a snapshot of a ModelDeployment to the plan for it.

The archive is resolved; what its pods are made of is a revision; the rollout's state machine says
which revision serves, which one is tried beside it and with how many requests. A revision's
ConfigMaps come before its Deployment, and what is reached from outside comes last. Where there is
no archive to serve, what serves already is left as it is.
"""

from datetime import datetime

from slipway.api import Conditions
from slipway.observed.start_problems import any_waits_for_volumes
from slipway.plan import PROBLEM_SECONDS, Event, Plan
from slipway.pods.overlay import OverlayError
from slipway.pods.permitted import level_of, refusal
from slipway.pods.refused import reason, sentence
from slipway.serving.children.revision import Revision, revision_of
from slipway.serving.desired_children import DesiredChildren
from slipway.serving.model.resolution import Resolution, resolve
from slipway.serving.observed.deployment_progress import Progress
from slipway.serving.observed.start_problems import Problem
from slipway.serving.prometheus_address import Allowed, refusals
from slipway.serving.reasons import INVALID_POD_TEMPLATE, REVISION_REFUSED
from slipway.serving.release import Turn, told, turn_of
from slipway.serving.report.events import events, findings, recovery, shifts
from slipway.serving.report.status import Findings, compose, set_conditions
from slipway.serving.rollout.machine import advance
from slipway.serving.rollout.wake import wake
from slipway.serving.snapshot import ServingSnapshot
from slipway.serving.view import ServingView
from slipway.settings import Settings


def plan(snapshot: ServingSnapshot, settings: Settings, now: datetime) -> Plan:
    """Return what should be done for a ModelDeployment now; ``now`` has a time zone."""
    deployment = snapshot.deployment
    if deployment.metadata.deletion_timestamp:
        return Plan()
    settings = settings.under(snapshot.verification)
    resolution = resolve(snapshot, settings)
    wanted = _wanted(snapshot, resolution, settings)
    refused = wanted if isinstance(wanted, Problem) else None
    turn = turn_of(snapshot, wanted, settings) if isinstance(wanted, Revision) else None
    level = level_of(snapshot.pod_security, settings)
    look = ServingView(snapshot, turn.revision if turn else None, now, level)
    before = look.state()
    seen = look.seen(before)
    work = DesiredChildren(look, advance(before, seen), seen, settings)
    found = _findings(work, resolution, refused, turn)
    conditions = Conditions(deployment.status.conditions, now, deployment.metadata.generation)
    set_conditions(found, conditions)
    waits = any_waits_for_volumes(snapshot.children.of_kind("Pod"))
    due = (
        PROBLEM_SECONDS if found.problem or waits else None,
        wake(work.state, seen),
        turn.requeue_after if turn else None,
    )
    return Plan(
        apply=work.applies(),
        patch=work.patches(),
        delete=work.deletes(found.serving),
        status=compose(found, conditions.to_list()).to_wire(),
        events=(
            *events(deployment.status.conditions, conditions),
            *recovery(before, deployment.status.conditions, conditions),
            *shifts(before, work.state),
            *findings(before, work.state),
            *(Event("Warning", REVISION_REFUSED, why) for why in look.refused_records(work.state)),
        ),
        requeue_after=min((one for one in due if one is not None), default=None),
    )


def _wanted(
    snapshot: ServingSnapshot, resolution: Resolution, settings: Settings
) -> Revision | Problem | None:
    """Return the revision that the spec asks for, or why its pods are not made."""
    deployment = snapshot.deployment
    if resolution.model is None:
        return None
    try:
        revision = revision_of(deployment, resolution.model, settings)
    except OverlayError as error:
        return Problem(INVALID_POD_TEMPLATE, str(error))
    found = refusal(deployment, revision.template, snapshot.pod_security, settings)
    return Problem(found.reason, found.message) if found else revision


def _findings(
    work: DesiredChildren, resolution: Resolution, refused: Problem | None, turn: Turn | None
) -> Findings:
    """Return all that the status follows from."""
    look, state = work.look, work.state
    stable = state.candidate is None and work.serving == state.stable_revision
    served = work.revisions.get(work.serving or "")
    serving = Progress(wanted=look.pods_wanted(state.active_slot))
    if work.serving is not None:
        serving = look.progress(state.active_slot, work.serving, was_complete=stable)
    beside = look.progress(work.spare.name, work.beside or "") if work.live(work.spare) else None
    return Findings(
        deployment=look.deployment,
        resolution=resolution,
        state=state,
        serving=serving,
        beside=beside,
        active=work.active,
        model=served.model if served else None,
        problem=refused or _problem(look, work.beside, serving),
        stable_problem=_stable_problem(look, work.beside, serving),
        refused=refused is not None,
        requests=work.seen.requests,
        forbidden_address=_forbidden_address(work),
        release=told(turn, state, stuck=serving.stuck) if turn else None,
    )


def _forbidden_address(work: DesiredChildren) -> str | None:
    """Return why a Prometheus that an analysis names is not asked, if there is such."""
    allowed = Allowed(work.settings.allowed_prometheus)
    return next(refusals(work.look.deployment, allowed), None)


def _stable_problem(look: ServingView, beside: str | None, serving: Progress) -> Problem | None:
    """Return why no stable pod is ready while another revision is tried beside."""
    if beside is None or serving.revision is None or serving.available or not serving.wanted:
        return None
    return look.problem(serving.revision) or _refused(serving)


def _refused(serving: Progress) -> Problem | None:
    if not serving.refusal:
        return None
    told = sentence(serving.refusal)
    return Problem(reason(told), f"The pods are refused: {told}")


def _problem(look: ServingView, beside: str | None, serving: Progress) -> Problem | None:
    """Return what keeps the rollout up; after it, a pod in trouble counts only if none serves."""
    if beside is not None:
        return look.problem(beside)
    if serving.revision is None or (serving.complete and serving.available > 0):
        return None
    return look.problem(serving.revision) or _refused(serving)
