"""The two slots of a ModelDeployment: two Deployments, of which one at a time serves users.

A new revision that is tried beside the stable one gets the other slot, so that stable pods stay
as they are while traffic moves, and promotion is a change of the Services' selector.
"""

from dataclasses import dataclass

from slipway.api import ModelDeployment
from slipway.api.serving.rollout_status import Retired, RolloutStatus, SlotName
from slipway.plan import Children, Manifest
from slipway.serving.children import names

BLUE: SlotName = "blue"
"""The slot that a ModelDeployment's first revision gets; its Deployment has the object's name."""
GREEN: SlotName = "green"
"""The other slot."""

API_VERSION, KIND = "apps/v1", "Deployment"


@dataclass(frozen=True)
class Slot:
    """One slot: its Deployment's name and the value of the label that its pods are known by."""

    name: SlotName
    workload: str
    track: str


def other_slot(name: SlotName) -> SlotName:
    """Return the name of the other slot."""
    return GREEN if name == BLUE else BLUE


def slot_of(deployment: ModelDeployment, children: Children, name: SlotName) -> Slot:
    """Return a slot.

    A Deployment's selector cannot change, so one that an older release made keeps its track.
    """
    workload = names.workload(deployment, name)
    live = children.get(API_VERSION, KIND, deployment.metadata.namespace, workload)
    return Slot(name, workload, _track(live) or name)


def _track(live: Manifest | None) -> str:
    selector = ((live or {}).get("spec") or {}).get("selector") or {}
    return str((selector.get("matchLabels") or {}).get(names.TRACK) or "")


def live_workload(deployment: ModelDeployment, children: Children, slot: Slot) -> Manifest | None:
    """Return a slot's Deployment as it is, or None."""
    return children.get(API_VERSION, KIND, deployment.metadata.namespace, slot.workload)


def leaving(state: RolloutStatus) -> Retired | None:
    """Return the dropped candidate that requests may still be on their way to, if there is one.

    Its slot is its own until then: what was sent to it must not come to another revision.
    """
    retired = state.retired
    return None if retired is None or retired.was_stable else retired
