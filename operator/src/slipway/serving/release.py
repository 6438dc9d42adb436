"""Following a new release of the operator: few deployments at a time, the others wait their turn.

A release brings another server image, or makes pods in another way, and so a new revision of every
deployment of the cluster. What users change, and models that are trained, go at once.
"""

from dataclasses import dataclass

from slipway.api import find
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.pods.permitted import level_of
from slipway.serving import reasons
from slipway.serving.children.revision import Revision, recorded
from slipway.serving.rollout.stepping import waits_for_traffic
from slipway.serving.snapshot import ServingSnapshot
from slipway.settings import Settings

LOOK_SECONDS = 1.0
"""How soon a deployment that could go on looks again, after it has told that it waits."""


@dataclass(frozen=True)
class Turn:
    """The revision to roll out now, and what it has to do with the operator's release."""

    revision: Revision
    waits: bool = False
    pinned: bool = False
    follows: bool = False
    requeue_after: float | None = None


def turn_of(snapshot: ServingSnapshot, wanted: Revision, settings: Settings) -> Turn:
    """Return the revision to roll out now: what is asked for, or what there is until its turn.

    A deployment waits at least once, so that all know of each other: of those that wait, the first
    ones by namespace and name go on while fewer than the settings say are under way. One with a
    server image of its own keeps its pods until its spec changes.
    """
    deployment, rollout = snapshot.deployment, snapshot.deployment.status.rollout
    said = find(deployment.status.conditions, reasons.FOLLOWS_RELEASE)
    candidate = rollout.candidate if rollout else None
    current = candidate.revision if candidate else rollout.stable_revision if rollout else None
    level = level_of(snapshot.pod_security, settings)
    held = recorded(deployment, snapshot.children, current, level)
    if held is None or _is_settled(wanted, current, rollout):
        return Turn(wanted, follows=said is not None)
    if _is_users(snapshot, held, wanted):
        return Turn(wanted)
    if deployment.spec.server.image is not None:
        return Turn(held, pinned=True)
    free = settings.max_concurrent_server_updates - snapshot.turns.under_way - snapshot.turns.ahead
    if said is not None and said.reason == reasons.WAITING_FOR_TURN and free > 0:
        return Turn(wanted, follows=True)
    return Turn(held, waits=True, requeue_after=LOOK_SECONDS if free > 0 else None)


def _is_settled(wanted: Revision, current: str | None, rollout: RolloutStatus | None) -> bool:
    """Tell whether what is asked for is there already, or on its way, or has failed."""
    failed = rollout.failed.revision if rollout and rollout.failed else None
    return wanted.name in (current, failed)


def _is_users(snapshot: ServingSnapshot, held: Revision, wanted: Revision) -> bool:
    """Tell whether a user has changed the spec, or another model is to be served."""
    deployment = snapshot.deployment
    if deployment.metadata.generation != deployment.status.observed_generation:
        return True
    models = (
        (revision.model.name, revision.model.uri, revision.model.sha256)
        for revision in (held, wanted)
    )
    return len(set(models)) > 1


def told(turn: Turn, state: RolloutStatus, *, stuck: bool) -> tuple[str, str] | None:
    """Return reason and message of the condition FollowsRelease, while there is one to tell.

    A rollout that is held or stuck, or waits for traffic, lets the next deployment go on.
    """
    if turn.waits:
        text = (
            "Pods are made in another way since the operator was upgraded; the deployment waits "
            "until others have new ones. A change of the spec does not wait."
        )
        return reasons.WAITING_FOR_TURN, text
    if turn.pinned:
        text = (
            "Pods are made in another way since the operator was upgraded; as spec.server.image is "
            "set, they are changed with the next change of the spec."
        )
        return reasons.PINNED, text
    candidate = state.candidate
    if not turn.follows or candidate is None or stuck:
        return None
    if state.phase == "Paused" or waits_for_traffic(candidate):
        return None
    text = f"Revision {candidate.revision} is as the operator's new release makes it."
    return reasons.FOLLOWING, text
