"""What a worker's process is given, batch after batch, and what becomes of its answers."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from slipway_server.answers import Answer, error
from slipway_server.forks import Child
from slipway_server.frames import Frame
from slipway_server.metrics import Metrics
from slipway_server.plan import Plan
from slipway_server.queue import Job, JobQueue

_LAST_ANSWERS_SECONDS = 0.05
"""How long what an ended worker had said is still read, where its socket is kept open by others."""
IN_FLIGHT = 2
"""How many batches a worker has at once: one that it works on, and one that it finds then."""


class Home(Protocol):
    """Where requests wait that a worker has not begun."""

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Have requests wait again."""


class Service(ABC):
    """What one process of a worker is given, until it ends or has to."""

    def __init__(self, child: Child, plan: Plan, home: Home, metrics: Metrics) -> None:
        self._child = child
        self._plan = plan
        self._home = home
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

    @abstractmethod
    def _taking(self) -> "asyncio.Future[list[Job]] | None":
        """Begin to take a batch, where the worker may have one more."""

    @abstractmethod
    async def _give(self, batch: Sequence[Job]) -> None:
        """Give the worker a batch."""

    @abstractmethod
    def _settle(self, said: Frame, given: Mapping[str, Answer]) -> None:
        """Hand on the answers to the first of the batches that were given."""

    @abstractmethod
    def _settle_rest(self) -> None:
        """Answer what the worker may have begun when it ended."""

    def _left(self) -> float | None:
        return max(0.0, self._deadline - time.monotonic()) if self._given else None

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
            self._home.put_back(taking.result())

    async def _send(self, jobs: Sequence[Job], *, old: int = 0) -> None:
        """Send the worker a batch; the first ``old`` of its requests go without their inputs."""
        self._given.append(list(jobs))
        if len(self._given) == 1:
            self._begin()
        requests = [{**job.head, "fields": []} for job in jobs[:old]]
        requests += [dict(job.head) for job in jobs[old:]]
        head = {"kind": "batch", "command": jobs[-1].command, "requests": requests}
        await self._child.send(head, [value for job in jobs[old:] for value in job.values])

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
        missing = [job for job in self._given[0] if str(job.head["id"]) not in given]
        if said.kind != "answers" or not all(job.is_given_up for job in missing):
            return False
        self._settle(said, given)
        self.has_answered = True
        return True


class Batches(Service):
    """Gives batches of requests of which none belongs to another.

    The worker answers in their order, so that only the first batch without an answer may have been
    begun: the others wait again when it ends.
    """

    def __init__(self, child: Child, plan: Plan, queue: JobQueue, metrics: Metrics) -> None:
        super().__init__(child, plan, queue, metrics)
        self._queue = queue

    def _taking(self) -> "asyncio.Future[list[Job]] | None":
        """Begin to take a batch: at once for an idle worker, from a long queue for another."""
        plan = self._plan
        if not self._given:
            return asyncio.ensure_future(self._queue.take(plan.batch_size, plan.batch_delay))
        if len(self._given) < IN_FLIGHT:
            backlog = plan.batch_size * plan.workers
            return asyncio.ensure_future(self._queue.take_from(backlog, plan.batch_size))
        return None

    async def _give(self, batch: Sequence[Job]) -> None:
        jobs = [job for job in batch if not job.is_given_up]
        if not jobs:
            return
        self._metrics.taken([job.taken - job.entered for job in jobs], len(jobs))
        for job in jobs if self._given else ():
            job.answer.add_done_callback(self._dropping(job))
        await self._send(jobs)

    def _dropping(self, job: Job) -> Callable[[Any], None]:
        def drop(answer: "asyncio.Future[Answer]") -> None:
            if answer.cancelled() and any(job in batch for batch in list(self._given)[1:]):
                self._child.send_now({"kind": "drop", "id": job.head["id"]})

        return drop

    def _settle(self, said: Frame, given: Mapping[str, Answer]) -> None:
        for job in self._given.popleft():
            if (answer := given.get(str(job.head["id"]))) is not None:
                job.settle(answer)
        self._begin()

    def _settle_rest(self) -> None:
        """Answer the batch that the worker may have begun, and have the others wait again."""
        if not self._given:
            return
        for job in self._given.popleft():
            job.settle(died())
        while self._given:
            self._queue.put_back(self._given.pop())


def died() -> Answer:
    """Return the answer to a request whose worker has ended, in TorchServe's words."""
    return error(500, "InternalServerException", "Worker died.")


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
