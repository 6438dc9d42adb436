"""The workers that take keys from the queue and reconcile them."""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from slipway.controller.loop.reconciler import Outcome, Reconciler, reason_of
from slipway.controller.loop.work_queue import WorkQueue
from slipway.kube.errors import KubeError, NamespaceGoing, Unavailable
from slipway.kube.reasons import NAME_CONFLICT
from slipway.plan import ObjectRef
from slipway.telemetry.logs import about
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.trace import traced

_LOG = logging.getLogger(__name__)
_PATIENCE = 2
"""How often an object may fail in a row before the failure is told on it."""
_LONG_PATIENCE = 6
"""As often, which takes about a minute, where it mostly passes by itself: where the API server
itself fails at the object, or the children of a deleted namesake are still there."""
_NAME_SECONDS = 20.0
"""How long a name that is taken is waited for at most: no watch shows that it is free again."""
_RESTING = 4
"""How many times as seldom as others an object is looked at again that has ended."""
_SLOW_SECONDS = 3.0
"""A reconcile that takes longer waits for something, such as an admission webhook that hangs, and
another worker takes the place of its own."""
_ASIDE = 1
"""How many reconciles for each worker may be slow so that others take their workers' places: each
may hold as much memory as one object may take."""


def most_at_a_time(workers: int) -> int:
    """Return how many reconciles there may be at a time, those included that take long."""
    return workers * (1 + _ASIDE)


@dataclass(eq=False)
class _Turn:
    """A worker at one key; ``aside``: another one has taken its place."""

    ref: ObjectRef
    aside: bool = False


class Workers:
    """A bounded number of reconciles at a time, beside a bounded number of those that take long.

    A write waits as long as the admission webhooks behind the API server take, half a minute each:
    four objects of one namespace would hold up all others.
    """

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
        self._most_aside = 0
        self._aside = 0
        self._held: list[_Turn] = []

    async def run(self, count: int, *gates: Callable[[], Awaitable[object]]) -> None:
        """Work until cancelled, once one has got through all ``gates``, one after the other."""
        for gate in gates:
            await gate()
        self._most_aside = most_at_a_time(count) - count
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._work(group))

    async def _work(self, group: asyncio.TaskGroup) -> None:
        later = asyncio.get_running_loop().call_later
        while True:
            turn = _Turn(await self._queue.get())
            timer = later(_SLOW_SECONDS, self._takes_long, turn, group)
            try:
                with about(turn.ref.kind, turn.ref.namespace, turn.ref.name), traced():
                    await self.handle(turn.ref)
            finally:
                timer.cancel()
            if not self._goes_on(turn):
                return
            # Nothing else is waited for where there is nothing to write: of 10,000 such objects in
            # a row each would come before the renewal of the Lease.
            await asyncio.sleep(0)

    def _takes_long(self, turn: _Turn, group: asyncio.TaskGroup) -> None:
        """Put a worker aside that has been at one key for long, if not too many are already."""
        self._queue.slow(turn.ref)
        with about(turn.ref.kind, turn.ref.namespace, turn.ref.name):
            _LOG.info("This object takes long: it may wait for an admission webhook")
        if self._aside < self._most_aside:
            self._aside += 1
            turn.aside = True
            group.create_task(self._work(group))
        else:
            self._held.append(turn)

    def _goes_on(self, turn: _Turn) -> bool:
        """Tell whether a worker is wanted after its turn: one that was put aside has been replaced.

        It replaces one that could not be put aside, where there is one.
        """
        if turn in self._held:
            self._held.remove(turn)
        elif turn.aside and self._held:
            self._held.pop(0).aside = True
        elif turn.aside:
            self._aside -= 1
            return False
        return True

    async def handle(self, ref: ObjectRef) -> None:
        """Reconcile one key that was taken from the queue, and give it back."""
        try:
            with self._metrics.reconciling(ref.kind):
                outcome = await self._reconciler.reconcile(ref)
        except asyncio.CancelledError:
            self._queue.done(ref)
            raise
        except Exception as error:
            await self._failed(ref, error)
        else:
            self._finished(ref, outcome)

    async def _failed(self, ref: ObjectRef, error: Exception) -> None:
        # A namespace that goes, and that somebody's finalizer may hold for days, is nobody's fault.
        result = "refused" if isinstance(error, NamespaceGoing) else "error"
        self._count(ref, result, reason_of(error))
        asked = error.retry_after if isinstance(error, Unavailable) else 0.0
        if self._queue.failures(ref) >= _patience(error):
            await self._tell(ref, error)
        after = self._queue.retry(ref, asked)
        details = None if isinstance(error, KubeError) else error
        _LOG.warning("Will try again in %.1f s: %s", after, error, exc_info=details)

    async def _tell(self, ref: ObjectRef, failure: Exception) -> None:
        """Tell a failure on its object; what fails again there ends no worker."""
        try:
            await self._reconciler.tell_failure(ref, failure)
        except Exception:
            _LOG.exception("The failure could not be told on its object")

    def _finished(self, ref: ObjectRef, outcome: Outcome) -> None:
        trouble = outcome.trouble
        self._count(ref, outcome.result, trouble.reason if trouble else None)
        if outcome.result == "gone":
            self._queue.done(ref)
        elif outcome.result in ("stalled", "refused"):
            taken = trouble is not None and trouble.reason == NAME_CONFLICT
            longest = _NAME_SECONDS if taken else math.inf
            pending = math.inf if outcome.revisit is None else outcome.revisit
            after = self._queue.retry(ref, at_most=min(longest, pending))
            _LOG.warning("Stalled, will try again in %.1f s: %s", after, trouble)
        else:
            resync = self._resync * random.uniform(0.8, 1.0)  # noqa: S311
            resync *= _RESTING if outcome.rests else 1
            revisit = resync if outcome.revisit is None else min(resync, outcome.revisit)
            self._queue.done(ref, revisit, background=revisit == resync)

    def _count(self, ref: ObjectRef, result: str, reason: str | None) -> None:
        self._metrics.reconciles.labels(ref.kind, result).inc()
        if reason is not None:
            self._metrics.errors.labels(ref.kind, reason).inc()


def _patience(error: Exception) -> float:
    """Return how often an object may fail in a row by an error before that is told on it."""
    if not isinstance(error, Unavailable):
        return _PATIENCE
    return _LONG_PATIENCE if error.may_last else math.inf
