"""From a snapshot of a ModelDeployment to the plan for it.

The archive is resolved; what its pods are made of is a revision; the revision's ConfigMaps come
before the Deployment, which Kubernetes rolls over by itself; what is reached from outside comes
last. Where there is no archive to serve, what serves already is left as it is.
"""

from datetime import datetime

from slipway.api import Conditions, ModelDeployment
from slipway.plan import PROBLEM_SECONDS, Children, Delete, Manifest, Plan
from slipway.serving.autoscaler import autoscaler, unwanted_autoscaler
from slipway.serving.budget import budget
from slipway.serving.config_maps import config_maps, obsolete
from slipway.serving.containers import credentials_secret
from slipway.serving.events import events
from slipway.serving.model import resolve
from slipway.serving.pods import pods_of
from slipway.serving.problems import Problem, find_problem
from slipway.serving.progress import Progress, observe
from slipway.serving.reasons import PODS_REFUSED
from slipway.serving.revision import Revision, revision_of
from slipway.serving.service import service
from slipway.serving.slots import BLUE, Slot, live_workload, slot_of
from slipway.serving.snapshot import ServingSnapshot
from slipway.serving.status import Findings, compose, set_conditions
from slipway.serving.workload import scale, workload
from slipway.settings import Settings
from slipway.store import store_secret


def plan(snapshot: ServingSnapshot, settings: Settings, now: datetime) -> Plan:
    """Return what should be done for a ModelDeployment now; ``now`` has a time zone."""
    deployment, children = snapshot.deployment, snapshot.children
    if deployment.metadata.deletion_timestamp:
        return Plan()
    resolution = resolve(snapshot)
    model = resolution.model
    revision = revision_of(deployment, model, settings) if model else None
    active = slot_of(deployment, children, BLUE)
    live = live_workload(deployment, children, active)
    rollout = observe(deployment, live, revision.name if revision else None)
    problem = _problem(deployment, children, rollout)
    found = Findings(deployment, resolution, rollout, active, problem)
    conditions = Conditions(deployment.status.conditions, now, deployment.metadata.generation)
    set_conditions(found, conditions)
    patch = scale(deployment, live, active) if revision or live else None
    return Plan(
        apply=(
            *_pods(deployment, children, revision, active, settings),
            *(_reach(deployment, active) if revision or live else ()),
        ),
        patch=(patch,) if patch else (),
        delete=(*unwanted_autoscaler(deployment, children), *_leftovers(children, rollout)),
        status=compose(found, conditions.to_list()).to_wire(),
        events=events(deployment.status.conditions, conditions),
        requeue_after=PROBLEM_SECONDS if found.problem else None,
    )


def _pods(
    deployment: ModelDeployment,
    children: Children,
    revision: Revision | None,
    active: Slot,
    settings: Settings,
) -> tuple[Manifest, ...]:
    """Return what the pods of a revision need, and the Deployment that makes them."""
    if revision is None:
        return ()
    secret = credentials_secret(deployment, revision.model, settings)
    own = secret == settings.store.secret_name
    namespace = deployment.metadata.namespace
    return (
        *((store_secret(settings.store, namespace),) if own else ()),
        *config_maps(deployment, children, revision),
        workload(deployment, revision, active),
    )


def _reach(deployment: ModelDeployment, active: Slot) -> tuple[Manifest, ...]:
    """Return what leads to the pods of the serving slot and keeps them up."""
    scaler = autoscaler(deployment, active)
    return (
        service(deployment, active),
        *((scaler,) if scaler else ()),
        budget(deployment, active),
    )


def _problem(deployment: ModelDeployment, children: Children, rollout: Progress) -> Problem | None:
    """Return what keeps the rollout up; after it, a pod in trouble counts only if none serves."""
    if rollout.revision is None or (rollout.complete and rollout.available > 0):
        return None
    found = find_problem(deployment, pods_of(children, rollout.revision))
    if found is None and rollout.refusal:
        return Problem(PODS_REFUSED, f"The pods are refused: {rollout.refusal}")
    return found


def _leftovers(children: Children, rollout: Progress) -> tuple[Delete, ...]:
    """Return the deletion of old revisions' ConfigMaps, once nothing can need them."""
    if rollout.revision is None or not rollout.complete:
        return ()
    return obsolete(children, rollout.revision)
