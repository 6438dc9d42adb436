"""From a snapshot to what the rollout's state machine looks at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from slipway.api import ModelDeployment
from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.api.serving.rollout_status import RolloutStatus, SlotName
from slipway.plan import Children, Manifest
from slipway.pods.standard import Level
from slipway.serving import routing
from slipway.serving.analysis import judgment
from slipway.serving.children import names
from slipway.serving.children.revision import Revision, recorded, refused_record
from slipway.serving.children.slots import BLUE, GREEN, Slot, live_workload, slot_of
from slipway.serving.observed.deaths import last_death, worker_died
from slipway.serving.observed.deployment_progress import Progress, live_revision, observe
from slipway.serving.observed.pods import pods_of, serving_pods
from slipway.serving.observed.start_problems import Problem, find_problem, last_lines
from slipway.serving.requests import Requests, requests_of
from slipway.serving.rollout.candidate import has_share
from slipway.serving.rollout.steps import programme_of
from slipway.serving.rollout.view import Limits, RolloutView
from slipway.serving.snapshot import ServingSnapshot


@dataclass(frozen=True)
class ServingView:
    """A snapshot with the revision that is asked for, as its parts are asked about.

    Pods are made again that keep to the Pod Security ``level``.
    """

    snapshot: ServingSnapshot
    wanted: Revision | None
    now: datetime
    level: Level

    @property
    def deployment(self) -> ModelDeployment:
        """The ModelDeployment."""
        return self.snapshot.deployment

    @property
    def children(self) -> Children:
        """Its children."""
        return self.snapshot.children

    def slot(self, name: SlotName) -> Slot:
        """Return one of the two slots."""
        return slot_of(self.deployment, self.children, name)

    def live(self, slot: SlotName) -> Manifest | None:
        """Return a slot's Deployment as it is, or None."""
        return live_workload(self.deployment, self.children, self.slot(slot))

    def state(self) -> RolloutStatus:
        """Return the status of the rollout; where none was written, what can be told without."""
        known = self.deployment.status.rollout
        if known is not None:
            return known
        active = self._served_slot()
        live = self.live(active)
        revision = live_revision(live) if live else None
        if revision is None or not observe(live, revision, 1).complete:
            return RolloutStatus(active_slot=active)
        return RolloutStatus(active_slot=active, stable_revision=revision)

    def _served_slot(self) -> SlotName:
        """Return the slot that the Service leads to."""
        meta = self.deployment.metadata
        live = self.children.get("v1", "Service", meta.namespace, meta.name) or {}
        track = ((live.get("spec") or {}).get("selector") or {}).get(names.TRACK)
        return GREEN if track == GREEN else BLUE

    def revisions(self, state: RolloutStatus) -> dict[str, Revision]:
        """Return the revisions that a status speaks of and that can be made, by name."""
        wanted, others = self.wanted, self._others(state)
        found = (recorded(self.deployment, self.children, name, self.level) for name in others)
        known = {one.name: one for one in found if one}
        return {**known, wanted.name: wanted} if wanted else known

    def refused_records(self, state: RolloutStatus) -> Iterator[str]:
        """Yield why revisions that a status speaks of are not made again as they are remembered."""
        for name in self._others(state):
            why = refused_record(self.deployment, self.children, name, self.level)
            if why is not None:
                yield why

    def _others(self, state: RolloutStatus) -> list[str]:
        """Return the revisions that a status speaks of besides the one that the spec asks for."""
        candidate, retired = state.candidate, state.retired
        asked = (
            state.stable_revision,
            candidate.revision if candidate else None,
            retired.revision if retired else None,
        )
        wanted = self.wanted
        return [name for name in asked if name and (wanted is None or name != wanted.name)]

    def progress(self, slot: SlotName, revision: str, *, was_complete: bool = False) -> Progress:
        """Return how far a revision is in a slot."""
        known = self.deployment.status.rollout
        candidate = known.candidate if known else None
        was_seen = candidate is not None and (candidate.revision, candidate.slot) == (
            revision,
            slot,
        )
        return observe(
            self.live(slot),
            revision,
            self.pods_wanted(slot),
            was_complete=was_complete,
            was_seen=was_seen and candidate is not None and has_share(candidate),
            none_ready=self._none_ready(slot),
        )

    def _none_ready(self, slot: SlotName) -> bool:
        """Tell whether a slot has pods and none of them says that it is ready."""
        wanted = names.selector(self.deployment, self.slot(slot).track).items()
        pods = serving_pods(self.children)
        mine = [pod for pod in pods if wanted <= (pod.manifest["metadata"]["labels"]).items()]
        return bool(mine) and not any(pod.ready for pod in mine)

    def pods_wanted(self, slot: SlotName) -> int:
        """Return how many pods a slot that serves should have: the autoscaler's number if any."""
        auto = self.deployment.spec.autoscaling
        if auto is None:
            return self.deployment.spec.replicas
        return max(self._replicas(slot), auto.min_replicas)

    def _replicas(self, slot: SlotName) -> int:
        live = self.live(slot)
        return int((live.get("spec") or {}).get("replicas", 1)) if live else 0

    def base(self, state: RolloutStatus) -> int:
        """Return how many pods are to serve; an autoscaler takes none away during a rollout."""
        count = self.pods_wanted(state.active_slot)
        candidate = state.candidate
        if self.deployment.spec.autoscaling is None or candidate is None:
            return count
        return count if candidate.slot == state.active_slot else max(count, candidate.base)

    def problem(self, revision: str) -> Problem | None:
        """Return what is wrong with the pods of a revision."""
        pods, deaths = pods_of(self.children, revision), self.snapshot.deaths
        return find_problem(self.deployment, pods) or worker_died(pods, deaths)

    def last_lines(self, revision: str) -> str:
        """Return how a server of a revision, or a worker in it, ended last, and what it wrote."""
        pods = pods_of(self.children, revision)
        return last_lines(pods) or last_death(pods, self.snapshot.deaths)

    def seen(self, state: RolloutStatus) -> RolloutView:
        """Return what the state machine looks at."""
        rollout = self.deployment.spec.rollout
        revisions = self.revisions(state)
        return RolloutView(
            now=self.now,
            wanted=self.wanted.name if self.wanted else None,
            programme=programme_of(rollout),
            requests=self._requests(),
            limits=Limits(
                deadline=rollout.progress_deadline_seconds,
                scale_down_delay=rollout.scale_down_delay_seconds,
                history=rollout.history_limit,
            ),
            base=self.base(state),
            progress=self.progress,
            recorded=lambda name: name in revisions,
            settled=lambda after: routing.settled(self.deployment, self.children, revisions, after),
            problem=self.problem,
            last_lines=self.last_lines,
            evaluate=self._evaluate,
            models={name: revision.model for name, revision in revisions.items()},
            runtimes={name: revision.runtime for name, revision in revisions.items()},
        )

    def _requests(self) -> Requests:
        """Return what a user asks for; what is gone back to takes over without steps."""
        asked = requests_of(self.deployment)
        if asked.rollback_to is None or self.wanted is None:
            return asked
        return replace(asked, promoted=asked.promoted | {self.wanted.name})

    def _evaluate(self, spec: Analysis, state: AnalysisState) -> AnalysisState:
        return judgment.evaluate(spec, state, self.snapshot.traffic, self.now)
