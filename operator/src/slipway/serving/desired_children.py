"""From the rollout's status to what is applied, patched and deleted."""

from dataclasses import dataclass
from functools import cached_property

from slipway.api.serving.rollout_status import RolloutStatus
from slipway.envoy import ALONE
from slipway.plan import Delete, Manifest, Patch
from slipway.serving import routing
from slipway.serving.children import network
from slipway.serving.children.autoscaler import autoscaler, unwanted_autoscaler
from slipway.serving.children.config_maps import config_maps, obsolete
from slipway.serving.children.deployment import replicas, scale, workload
from slipway.serving.children.disruption_budget import budget
from slipway.serving.children.pod.containers import credentials_secret
from slipway.serving.children.revision import Revision
from slipway.serving.children.services import rollout_services, service, unwanted_services
from slipway.serving.children.slots import Slot, leaving, other_slot
from slipway.serving.observed.deployment_progress import Progress, live_revision
from slipway.serving.rollout.candidate import desired_replicas, in_place, programme_for
from slipway.serving.rollout.view import RolloutView
from slipway.serving.view import ServingView
from slipway.settings import Settings
from slipway.store import store_secrets


@dataclass(frozen=True)
class DesiredChildren:
    """What follows from the rollout's status for the children."""

    look: ServingView
    state: RolloutStatus
    seen: RolloutView
    settings: Settings

    @property
    def active(self) -> Slot:
        """The slot that serves."""
        return self.look.slot(self.state.active_slot)

    @property
    def spare(self) -> Slot:
        """The slot that does not serve."""
        return self.look.slot(other_slot(self.state.active_slot))

    @cached_property
    def revisions(self) -> dict[str, Revision]:
        """The revisions that the status speaks of and that can be made, by name."""
        return self.look.revisions(self.state)

    @property
    def serving(self) -> str | None:
        """The revision that the serving slot is to have."""
        candidate = self.state.candidate
        served = candidate is not None and candidate.slot == self.state.active_slot
        return candidate.revision if candidate and served else self.state.stable_revision

    @property
    def beside(self) -> str | None:
        """The revision that is tried in the spare slot; none while another one is leaving it."""
        candidate = self.state.candidate
        if candidate is None or leaving(self.state) is not None:
            return None
        return candidate.revision if candidate.slot != self.state.active_slot else None

    def live(self, slot: Slot) -> Manifest | None:
        """Return a slot's Deployment."""
        return self.look.live(slot.name)

    def applies(self) -> tuple[Manifest, ...]:
        """Return what must be there: what pods need, then the pods, then what leads to them."""
        revisions = self.revisions
        made = [revisions[name] for name in (self.serving, self.beside) if name in revisions]
        if not made and self.live(self.active) is None:
            return ()
        return (
            *self._secret(made),
            *network.deployment_policy(self.look.deployment, self.settings),
            *self._files(),
            *self._workloads(),
            *self._reach(),
        )

    def _secret(self, made: list[Revision]) -> tuple[Manifest, ...]:
        """Return the store's Secret, where a revision's pods read it."""
        deployment, store = self.look.deployment, self.settings.store
        named = {credentials_secret(deployment, one.model, self.settings) for one in made}
        if store.secret_name not in named:
            return ()
        return store_secrets(store, deployment.metadata.namespace)

    def _files(self) -> tuple[Manifest, ...]:
        deployment, children = self.look.deployment, self.look.children
        splits = routing.splits(deployment, children, self.state)
        retired = self.state.retired
        sender = retired.revision if retired and retired.was_stable else None
        names = (self.state.stable_revision, self.serving, self.beside, sender)
        return tuple(
            manifest
            for name in dict.fromkeys(name for name in names if name in self.revisions)
            for manifest in config_maps(
                deployment, children, self.revisions[name or ""], splits.get(name or "", ALONE)
            )
        )

    def _workloads(self) -> tuple[Manifest, ...]:
        """Return the Deployments whose revisions can be made."""
        deployment = self.look.deployment
        pairs = ((self.active, self.serving), (self.spare, self.beside))
        held = self._is_held()
        return tuple(
            workload(deployment, self.revisions[name], slot, paused=held and slot == self.active)
            for slot, name in pairs
            if name is not None and name in self.revisions
        )

    def _is_held(self) -> bool:
        """Tell whether a rolling update is to wait; a first revision does not."""
        stable = self.state.stable_revision
        return self.seen.requests.paused and stable is not None and in_place(self.state)

    def _reach(self) -> tuple[Manifest, ...]:
        """Return what leads to the pods of the serving slot and keeps them up."""
        deployment, children = self.look.deployment, self.look.children
        scaler = autoscaler(deployment, self.active, self._fewest())
        return (
            service(deployment, self.active),
            *rollout_services(deployment, children, self.state),
            *((scaler,) if scaler else ()),
            budget(deployment, self.active),
        )

    def _fewest(self) -> int:
        """Return how many pods the autoscaler must leave while another revision does their work."""
        candidate = self.state.candidate
        return candidate.base if candidate is not None and self.beside else 1

    def patches(self) -> tuple[Patch, ...]:
        """Return the changes of both slots' replicas, and the words to pods with new routes."""
        live = self.live(self.active)
        there = live is not None or self.serving in self.revisions
        own = scale(self.look.deployment, live, self.active) if there else None
        beside = self._scale_beside()
        return (*((own,) if own else ()), *((beside,) if beside else ()), *self._nudges())

    def _scale_beside(self) -> Patch | None:
        """Return the patch of the spare slot's replicas; a retired revision keeps its own."""
        candidate, live = self.state.candidate, self.live(self.spare)
        found = None if live is None else int((live.get("spec") or {}).get("replicas", 1))
        if candidate is not None and self.beside:
            wanted = desired_replicas(candidate, programme_for(candidate, self.seen))
            found = 1 if found is None else found
        elif self._is_kept():
            return None
        else:
            wanted = 0
        if found is None or found == wanted:
            return None
        return replicas(self.look.deployment, self.spare, wanted)

    def _is_kept(self) -> bool:
        """Tell whether the spare slot's pods are still to be gone back to, or drain."""
        promoted = self.state.candidate is not None and self.state.candidate.promoted
        return promoted or self.state.retired is not None

    def _nudges(self) -> tuple[Patch, ...]:
        look = self.look
        return routing.nudges(look.deployment, look.children, self.revisions, self.state)

    def deletes(self, progress: Progress) -> tuple[Delete, ...]:
        """Return the deletions of what nothing needs any more."""
        deployment, children = self.look.deployment, self.look.children
        return (
            *unwanted_autoscaler(deployment, children),
            *unwanted_services(deployment, children, self.state),
            *network.obsolete(deployment, self.settings, children),
            *self._leftovers(progress),
        )

    def _leftovers(self, progress: Progress) -> tuple[Delete, ...]:
        """Return the deletion of old revisions' ConfigMaps, once nothing can need them."""
        state = self.state
        if state.candidate is not None or state.stable_revision is None or not progress.complete:
            return ()
        live = (self.live(slot) for slot in (self.active, self.spare))
        needed = [live_revision(one) or "" for one in live if one is not None]
        return obsolete(self.look.children, state.stable_revision, needed)
