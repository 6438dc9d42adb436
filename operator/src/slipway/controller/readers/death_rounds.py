"""Going round the serving pods for workers that died and were back before anybody saw it.

The kubelet sees a pod that is not ready for some seconds, and a deployment's conditions tell of
pods only while none serves. All other deaths stand on the pods' own pages, which are asked for here
at one pace, however many pods there are.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.worker_deaths import DeathReader, answers, out_of_service
from slipway.observed.pods import PodView
from slipway.plan import Children, Event, Manifest
from slipway.serving.observed.deaths import news
from slipway.serving.observed.pods import serving_pods
from slipway.serving.report.events import worker_died

_LOG = logging.getLogger(__name__)
PAUSE_SECONDS, ROUND_SECONDS = 1.0, 30.0
"""At most one pod is asked in so many seconds, which takes 0.2 % of a processor; a round begins
as long after the one before."""

Served = tuple[Manifest, Children]
"""A ModelDeployment and its pods."""


class DeathRounds:
    """Asks each pod that runs, and records an event about its deployment for deaths not told of.

    ``deployments`` yields all that are there, ``record`` takes an event about one.
    """

    def __init__(
        self,
        reader: DeathReader,
        deployments: Callable[[], Iterable[Served]],
        record: Callable[[Manifest, Event], object],
        pause: float = PAUSE_SECONDS,
        period: float = ROUND_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._deployments = deployments
        self._record = record
        self._pause, self._period = pause, period
        self._now = now
        self._asked: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Go round until cancelled."""
        try:
            while True:
                await asyncio.gather(self._go_round(), asyncio.sleep(self._period))
        finally:
            for task in self._asked.values():
                task.cancel()

    async def _go_round(self) -> None:
        for raw, children in self._deployments():
            told = {pod.uid for pod in out_of_service(children)}
            for pod in serving_pods(children):
                if answers(pod) and pod.uid not in told and pod.uid not in self._asked:
                    self._begin(pod, raw)
                    await asyncio.sleep(self._pause)
            await asyncio.sleep(0)

    def _begin(self, pod: PodView, raw: Manifest) -> None:
        """Ask a pod; one that does not answer keeps only itself waiting."""
        self._asked[pod.uid] = task = asyncio.create_task(self._look(pod, raw))
        task.add_done_callback(lambda _: self._asked.pop(pod.uid, None))

    async def _look(self, pod: PodView, raw: Manifest) -> None:
        try:
            death = await self._reader.ask(pod.manifest)
        except UnansweredError as error:
            _LOG.debug("Pod %s does not tell of its workers: %s", pod.name, error)
            return
        told = self._reader.told
        text = news(pod.name, death, told.get(pod.uid), self._now()) if death else None
        if text is not None:
            self._record(raw, worker_died(text))
        if death is None or text is not None or not death.under_way:
            told[pod.uid] = death.count if death else 0
