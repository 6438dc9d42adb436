"""The place of one worker: its process, the batches that it is given, and its next process."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from slipway_server.answers import Answer, error
from slipway_server.deaths import Deaths
from slipway_server.forks import Child, GivenUp
from slipway_server.frames import Frame
from slipway_server.metrics import Metrics
from slipway_server.plan import Plan
from slipway_server.queue import Job, JobQueue

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""A worker that ends again and again without having answered is made again after such pauses."""
MOST_FAILURES = 5
"""After so many starts in a row that ended before the model was loaded, the server gives up."""
_LAST_ANSWERS_SECONDS = 0.05
"""How long what an ended worker had said is still read, where its socket is kept open by others."""
IN_FLIGHT = 2
"""How many batches a worker has at once: one that it works on, and one that it finds then."""


class CannotLoad(Exception):  # noqa: N818 - what a worker said
    """A worker has not loaded the model; the text says why."""


class Service:
    """What one process of a worker is given, in order, until it ends or has to.

    It answers in that order, so that only the first batch without an answer may have been begun:
    the others wait again when it ends.
    """

    def __init__(self, child: Child, plan: Plan, queue: JobQueue, metrics: Metrics) -> None:
        self._child = child
        self._plan = plan
        self._queue = queue
        self._metrics = metrics
        self._given: deque[list[Job]] = deque()
        self._deadline = 0.0
        self.has_answered = False
        self.is_late = False

    async def run(self) -> None:
        """Have batches answered."""
        ending = asyncio.ensure_future(self._child.ended())
        reading = asyncio.ensure_future(self._child.frame())
        taking = self._taking()
        try:
            while True:
                events = {event for event in (ending, reading, taking) if event is not None}
                done, _ = await asyncio.wait(
                    events, timeout=self._left(), return_when=asyncio.FIRST_COMPLETED
                )
                if reading in done:
                    if not self._heard(reading.result()):
                        return
                    reading = asyncio.ensure_future(self._child.frame())
                    taking = await self._renewed(taking)
                elif taking is not None and taking in done:
                    batch, taking = taking.result(), None
                    await self._give(batch)
                    taking = self._taking()
                elif ending in done:
                    await asyncio.wait({reading}, timeout=_LAST_ANSWERS_SECONDS)
                    if not reading.done():
                        return
                else:
                    self.is_late = True
                    return
        finally:
            for event in (ending, reading):
                event.cancel()
            await self._put_back(taking)
            self._settle_rest()

    def _left(self) -> float | None:
        return max(0.0, self._deadline - time.monotonic()) if self._given else None

    def _taking(self) -> "asyncio.Future[list[Job]] | None":
        """Begin to take a batch: at once for an idle worker, from a long queue for another."""
        plan = self._plan
        if not self._given:
            return asyncio.ensure_future(self._queue.take(plan.batch_size, plan.batch_delay))
        if len(self._given) < IN_FLIGHT:
            backlog = plan.batch_size * plan.workers
            return asyncio.ensure_future(self._queue.take_from(backlog, plan.batch_size))
        return None

    async def _renewed(
        self, taking: "asyncio.Future[list[Job]] | None"
    ) -> "asyncio.Future[list[Job]] | None":
        """Begin anew to take a batch: what the worker has before it is less now."""
        if taking is not None and taking.done():
            return taking
        await self._put_back(taking)
        return self._taking()

    async def _put_back(self, taking: "asyncio.Future[list[Job]] | None") -> None:
        """Have what was taken wait again, which was not given."""
        if taking is None:
            return
        taking.cancel()
        await asyncio.wait({taking})
        if not taking.cancelled():
            self._queue.put_back(taking.result())

    async def _give(self, batch: Sequence[Job]) -> None:
        jobs = [job for job in batch if not job.is_given_up]
        if not jobs:
            return
        self._metrics.taken([job.taken - job.entered for job in jobs])
        if not self._given:
            self._begin()
        for job in jobs if self._given else ():
            job.answer.add_done_callback(self._dropping(job))
        self._given.append(jobs)
        head = {
            "kind": "batch",
            "command": jobs[0].command,
            "requests": [dict(job.head) for job in jobs],
        }
        await self._child.send(head, [value for job in jobs for value in job.values])

    def _dropping(self, job: Job) -> Callable[[Any], None]:
        def drop(answer: "asyncio.Future[Answer]") -> None:
            if answer.cancelled() and any(job in batch for batch in list(self._given)[1:]):
                self._child.send_now({"kind": "drop", "id": job.head["id"]})

        return drop

    def _begin(self) -> None:
        """Count the time of the batch that the worker works on from now."""
        self._deadline = time.monotonic() + self._plan.response_timeout

    def _heard(self, said: Frame | None) -> bool:
        """Hand on what the worker said; return False where it has ended, or has to."""
        if said is None or not self._given:
            return False
        given = _answers(said)
        if given is None or not set(given) <= {str(job.head["id"]) for job in self._given[0]}:
            return False
        if said.kind == "parts":
            for job in self._given[0]:
                if (part := given.get(str(job.head["id"]))) is not None:
                    job.put(part, self._plan.most_response_bytes)
            return True
        self._metrics.update(said.head.get("metrics"))
        return said.kind == "answers" and self._settle(given)

    def _settle(self, given: dict[str, Answer]) -> bool:
        missing = [job for job in self._given[0] if str(job.head["id"]) not in given]
        if not all(job.is_given_up for job in missing):
            return False
        for job in self._given.popleft():
            if (answer := given.get(str(job.head["id"]))) is not None:
                job.settle(answer)
        self.has_answered = True
        self._begin()
        return True

    def _settle_rest(self) -> None:
        """Answer the batch that the worker may have begun, and have the others wait again."""
        if not self._given:
            return
        for job in self._given.popleft():
            job.settle(error(500, "InternalServerException", "Worker died."))
        while self._given:
            self._queue.put_back(self._given.pop())


def _answers(said: Frame) -> dict[str, Answer] | None:
    """Return the answers of a worker's frame by the requests' IDs; None where it holds none."""
    told = said.head.get("answers")
    if not isinstance(told, list) or len(told) != len(said.parts):
        return None
    try:
        return {
            str(request): Answer(
                int(status), bytes(body), [(str(name), str(value)) for name, value in pairs], phrase
            )
            for (request, status, phrase, pairs), body in zip(told, said.parts, strict=True)
            if isinstance(phrase, str) and 100 <= int(status) <= 999
        }
    except (TypeError, ValueError, OverflowError):
        return None


class Slot:
    """The place of one worker: it has a process, or waits for the next one."""

    def __init__(
        self,
        number: int,
        make: Callable[[], Awaitable[Child]],
        serve: Callable[[Child], Service],
        metrics: Metrics,
        deaths: Deaths,
    ) -> None:
        self.number = number
        self.is_ready = False
        self.pid = 0
        self.started = 0.0
        self._has_died = False
        self._make = make
        self._serve = serve
        self._metrics = metrics
        self._deaths = deaths

    async def run(self, may_give_up: Callable[[], bool]) -> None:
        """Keep a worker, for ever; raises ``GivenUp`` where none can be started."""
        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                child = await self._make()
            except (CannotLoad, OSError) as problem:
                failures += 1
                _LOG.error("Worker %d cannot load the model: %s", self.number, problem)
                if failures >= MOST_FAILURES and may_give_up():
                    raise GivenUp(str(problem)) from None
            else:
                failures = 0
                if await self._keep(child):
                    pause = _FIRST_PAUSE
                    continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _keep(self, child: Child) -> bool:
        """Have a process answer until it ends; tell whether it answered any."""
        service = self._serve(child)
        self.pid, self.started, self.is_ready = child.pid, time.time(), True
        if self._has_died:
            self._deaths.note_ready()
        try:
            await service.run()
        finally:
            self.is_ready = False
            self._metrics.died()
            _LOG.error("Worker %d ended: %s", self.number, await child.end())
            self._deaths.note(child.status, child.last_lines(), is_late=service.is_late)
            self._has_died = True
        return service.has_answered
