"""A TrainingJob under a reconciler whose planner answers what it is told to."""

import math
from datetime import UTC, datetime
from typing import Any, cast

from slipway.api.training.job import TrainingJob
from slipway.controller.loop.observer import Observation
from slipway.controller.loop.reconciler import Controlled, Outcome, Reconciler
from slipway.controller.loop.status_writer import StatusWriter
from slipway.controller.whole import Whole
from slipway.kube.client import Client
from slipway.kube.watched.cache import Cache
from slipway.kube.writes.apply import Fill, Writer
from slipway.kube.writes.events import EventRecorder
from slipway.plan import Manifest, ObjectRef, Plan, Removal
from slipway.settings import Settings
from slipway.telemetry.metrics import Metrics
from tests.unit.controller.fakes import CREDENTIALS, FakeClient, child, training_job

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CREATED = {
    "type": "Created",
    "status": "True",
    "reason": "ChildrenCreated",
    "message": "",
    "lastTransitionTime": "2026-01-02T00:00:00Z",
    "observedGeneration": 1,
}


class World:
    """A TrainingJob, an API server, and a planner that answers what it is told to."""

    def __init__(
        self,
        job: Manifest | None = None,
        fill: Fill = CREDENTIALS.data,
        most: float = math.inf,
    ) -> None:
        self.fill, self.most = fill, most
        self.api = FakeClient()
        self.seconds = 0.0
        self.removals: list[Removal] = []
        self.job = self.api.put(job or training_job())
        self.ref = ObjectRef.of(self.job)
        self.plan = Plan(apply=(self.service(),), status={"conditions": [CREATED]})
        self.restart()

    def restart(self) -> None:
        """Start an operator that knows what is there, and nothing else."""
        self.cache = Cache(self.most)
        for obj in self.api.objects.values():
            self.cache.feed(obj)
        client = cast(Client, self.api)
        self.events = EventRecorder(client, lambda: self.seconds)
        self.reconciler = Reconciler(
            {"TrainingJob": Controlled(TrainingJob, self._observe, lambda *_: self.plan)},
            self.cache,
            Writer(client, self.cache, self.fill),
            CREDENTIALS,
            StatusWriter(client, self.cache, 10.0, lambda: self.seconds),
            self.events,
            Settings(),
            Metrics(),
            Whole(client, self.cache),
            lambda removal, _obj: self.removals.append(removal),
            lambda: NOW,
        )

    def service(self, **spec: Any) -> Manifest:
        ports = [{"name": "http", "port": 80}]
        return child(self.job, "Service", "job", spec={"ports": ports, **spec})

    @staticmethod
    async def _observe(job: TrainingJob, _raw: Manifest) -> Observation:
        return Observation(job)

    async def reconcile(self) -> Outcome:
        outcome = await self.reconciler.reconcile(self.ref)
        await self.events.post()
        return outcome

    def conditions(self) -> dict[str, Manifest]:
        status = self.api.objects[self.ref].get("status") or {}
        return {condition["type"]: condition for condition in status.get("conditions", [])}
