"""What one process of a worker is given where requests belong together: one step at a time."""

import asyncio
from collections.abc import Mapping, Sequence

from slipway_server.answers import Answer
from slipway_server.forks import Child
from slipway_server.frames import Frame
from slipway_server.metrics import Metrics
from slipway_server.plan import Plan
from slipway_server.queue import Job
from slipway_server.services import Service, died
from slipway_server.stateful import keys
from slipway_server.stateful.queue import Source


class Steps(Service):
    """Asks a worker step after step: with what goes on, and with new requests.

    A step is answered before the next one. What goes on keeps its place, before what is new, and
    comes without its inputs.
    """

    def __init__(
        self, child: Child, plan: Plan, source: Source, metrics: Metrics, names: keys.Keys
    ) -> None:
        super().__init__(child, plan, source, metrics)
        self._source = source
        self._names = names
        self._going_on: list[Job] = []

    async def run(self) -> None:
        """Have steps answered."""
        self._source.begin()
        await super().run()

    def _taking(self) -> "asyncio.Future[list[Job]] | None":
        if self._given:
            return None
        if not self._going_on:
            first = self._source.first(self._plan.places, self._plan.batch_delay)
            return asyncio.ensure_future(first)
        at_once: asyncio.Future[list[Job]] = asyncio.get_running_loop().create_future()
        at_once.set_result([])
        return at_once

    async def _give(self, batch: Sequence[Job]) -> None:
        places = self._plan.places - len(self._going_on) - len(batch)
        old = self._waited_for(self._going_on)
        new = self._waited_for([*batch, *self._source.more(places)])
        self._going_on = []
        if old or new:
            waits = [job.taken - job.entered for job in new]
            self._metrics.taken(waits, len(old) + len(new))
            await self._send([*old, *new], old=len(old))

    def _waited_for(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the requests whose clients are there, and be done with the others."""
        for job in jobs:
            if job.is_given_up:
                self._source.finish(job)
        return [job for job in jobs if not job.is_given_up]

    def _settle(self, said: Frame, given: Mapping[str, Answer]) -> None:
        told = said.head.get("going_on")
        going_on = {str(one) for one in told} if isinstance(told, list) else set()
        for job in self._given.popleft():
            if (answer := given.get(str(job.head["id"]))) is None:
                self._source.finish(job)
            else:
                self._hand_on(job, answer, goes_on=str(job.head["id"]) in going_on)

    def _hand_on(self, job: Job, answer: Answer, *, goes_on: bool) -> None:
        if goes_on:
            job.put(answer, self._plan.most_response_bytes)
        else:
            job.settle(answer)
        if job.is_given_up:
            self._source.finish(job)
        else:
            self._going_on.append(job)
        self._source.close(keys.ended(answer.headers, self._names))

    def _settle_rest(self) -> None:
        jobs = [*(self._given.popleft() if self._given else ()), *self._going_on]
        for job in [*jobs, *self._source.end()]:
            job.settle(died())
