"""Going round the serving pods for workers that died and were back before anybody saw it.

The kubelet sees a pod that is not ready for some seconds, and a deployment's conditions tell of
pods only while none serves. All other deaths stand on the pods' own pages, which are asked for here
at one pace, however many pods there are.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol

from slipway.controller.readers.asking.bounded import UnansweredError
from slipway.controller.readers.worker_deaths import DeathReader, answers, out_of_service
from slipway.lanes import Rounds
from slipway.manifests import head_of
from slipway.observed.pods import PodView
from slipway.plan import Children, Event, Manifest, ObjectRef
from slipway.serving.observed.deaths import news
from slipway.serving.observed.pods import serving_pods
from slipway.serving.report.events import worker_died

_LOG = logging.getLogger(__name__)
PAUSE_SECONDS, ROUND_SECONDS = 1.0, 30.0
"""At most one pod is asked in so many seconds, which takes 0.2 % of a processor; a namespace's
round begins as long after the one before."""

Found = tuple[Manifest, ObjectRef]
"""Which ModelDeployment a pod belongs to, and the pod."""
Handling = Callable[[ObjectRef, str], AbstractContextManager[None]]
"""Within it a part of the operator handles an object: an unforeseen error ends there."""


class Served(Protocol):
    """The ModelDeployments and their pods, each as it is when it is read."""

    def namespaces(self) -> Collection[str]:
        """Return the namespaces that have ModelDeployments."""

    def deployments(self, namespace: str) -> Iterable[ObjectRef]:
        """Return the ModelDeployments of a namespace."""

    def read(self, ref: ObjectRef) -> tuple[Manifest, Children] | None:
        """Return a ModelDeployment with its pods; None for one that is not to be looked at."""

    def pod(self, ref: ObjectRef) -> Manifest | None:
        """Return a pod; None if it is gone."""


class DeathRounds:
    """Asks each pod that runs, and records an event about its deployment for deaths not told of.

    The namespaces take turns, so that one with many pods delays its own alone. ``record`` takes an
    event about a ModelDeployment.
    """

    def __init__(
        self,
        reader: DeathReader,
        served: Served,
        record: Callable[[Manifest, Event], object],
        handling: Handling = lambda *_: nullcontext(),
        pause: float = PAUSE_SECONDS,
        period: float = ROUND_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._served = served
        self._record = record
        self._handling = handling
        self._pause = pause
        self._now = now
        self._rounds: Rounds[str, Found] = Rounds(self._pods, period)
        self._asked: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Go round until cancelled."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                pause = self._pause
                for found in self._rounds.step(self._served.namespaces(), clock()):
                    pause = self._pause if found is None or self._begin(*found) else 0.0
                    await asyncio.sleep(0)
                await asyncio.sleep(pause)
        finally:
            for task in self._asked.values():
                task.cancel()

    def _pods(self, namespace: str) -> Iterator[Found | None]:
        """Yield the pods of a namespace to ask, without holding any of them until their turn."""
        for ref in self._served.deployments(namespace):
            pods: list[Found] = []
            with self._handling(ref, "deaths"):
                pods.extend(self._to_ask(ref))
            yield from pods
            yield None

    def _to_ask(self, ref: ObjectRef) -> Iterator[Found]:
        found = self._served.read(ref)
        if found is None:
            return
        raw, children = found
        told = {pod.uid for pod in out_of_service(children)}
        for pod in serving_pods(children):
            each = ObjectRef.of(pod.manifest)
            asked = False
            with self._handling(each, "deaths"):
                asked = answers(pod) and pod.uid not in told
            if asked:
                yield head_of(raw), each

    def _begin(self, deployment: Manifest, ref: ObjectRef) -> bool:
        """Ask a pod, unless that goes on still: one that does not answer keeps only itself waiting.

        Tell whether it is asked.
        """
        manifest = self._served.pod(ref)
        for pod in serving_pods(Children({ref: manifest} if manifest else {})):
            if answers(pod) and pod.uid not in self._asked:
                task = asyncio.create_task(self._look(pod, ref, deployment))
                self._asked[pod.uid] = task
                task.add_done_callback(partial(self._answered, pod.uid))
                return True
        return False

    def _answered(self, uid: str, _: "asyncio.Task[None]") -> None:
        self._asked.pop(uid, None)

    async def _look(self, pod: PodView, ref: ObjectRef, deployment: Manifest) -> None:
        with self._handling(ref, "deaths"):
            try:
                death = await self._reader.ask(pod.manifest)
            except UnansweredError as error:
                _LOG.debug("Pod %s does not tell of its workers: %s", pod.name, error)
                return
            told = self._reader.told
            text = news(pod.name, death, told.get(pod.uid), self._now()) if death else None
            if text is not None:
                self._record(deployment, worker_died(text))
            if death is None or text is not None or not death.under_way:
                told[pod.uid] = death.count if death else 0
