"""The workers that take keys from the queue and reconcile them."""

import asyncio
import logging
import random

from slipway.controller.queue import WorkQueue
from slipway.controller.reconciler import Outcome, Reconciler, reason_of
from slipway.kube.errors import KubeError, Unavailable
from slipway.plan import ObjectRef
from slipway.telemetry.logs import about
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.trace import traced

_LOG = logging.getLogger(__name__)


class Workers:
    """A bounded number of reconciles at a time."""

    def __init__(
        self,
        queue: WorkQueue[ObjectRef],
        reconciler: Reconciler,
        metrics: Metrics,
        resync_seconds: float,
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._metrics = metrics
        self._resync = resync_seconds

    async def run(self, count: int, *gates: asyncio.Event) -> None:
        """Work until cancelled, once all ``gates`` are set."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._work(gates))

    async def _work(self, gates: tuple[asyncio.Event, ...]) -> None:
        for gate in gates:
            await gate.wait()
        while True:
            ref = await self._queue.get()
            with about(ref.kind, ref.namespace, ref.name), traced():
                await self.handle(ref)

    async def handle(self, ref: ObjectRef) -> None:
        """Reconcile one key that was taken from the queue, and give it back."""
        try:
            with self._metrics.reconciling(ref.kind):
                outcome = await self._reconciler.reconcile(ref)
        except asyncio.CancelledError:
            self._queue.done(ref)
            raise
        except Exception as error:
            self._failed(ref, error)
        else:
            self._finished(ref, outcome)

    def _failed(self, ref: ObjectRef, error: Exception) -> None:
        self._count(ref, "error", reason_of(error))
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        after = self._queue.retry(ref, asked)
        details = None if isinstance(error, KubeError) else error
        _LOG.warning("Will try again in %.1f s: %s", after, error, exc_info=details)

    def _finished(self, ref: ObjectRef, outcome: Outcome) -> None:
        trouble = outcome.trouble
        self._count(ref, outcome.result, trouble.reason if trouble else None)
        if outcome.result == "gone":
            self._queue.done(ref)
        elif outcome.result == "stalled":
            after = self._queue.retry(ref)
            _LOG.warning("Stalled, will try again in %.1f s: %s", after, trouble)
        else:
            resync = self._resync * random.uniform(0.8, 1.0)  # noqa: S311
            self._queue.done(
                ref, resync if outcome.revisit is None else min(resync, outcome.revisit)
            )

    def _count(self, ref: ObjectRef, result: str, reason: str | None) -> None:
        self._metrics.reconciles.labels(ref.kind, result).inc()
        if reason is not None:
            self._metrics.errors.labels(ref.kind, reason).inc()
