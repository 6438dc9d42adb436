"""The requests that wait for a worker: a bounded queue, and how batches are taken from it.

The batch rule is TorchServe's (Model.pollBatch): wait for the first request as long as it takes,
then for the others of the batch no longer than the batch delay. A batch is taken when a worker is
free, so that the queue is the only place where requests wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway_server.answers import Answer
from slipway_server.errors import Refusal

MOST_PARTS = 10_000
"""How many parts of an answer wait for a client to read them."""


@dataclass(eq=False)
class Job:
    """One request: what the worker is told of it, its fields' bytes, and where its answer goes.

    ``parts`` are what its handler sends before the answer; None among them ends them. ``entered``
    and ``taken`` are moments of the monotonic clock, in seconds; ``unread`` is how many bytes of
    the parts the client has not taken yet. ``sequence`` is the one that it belongs to, or empty.
    """

    head: Mapping[str, Any]
    values: Sequence[bytes]
    command: str = "predict"
    answer: "asyncio.Future[Answer]" = field(default_factory=lambda: _future())
    parts: "asyncio.Queue[Answer | None]" = field(default_factory=asyncio.Queue)
    entered: float = field(default_factory=time.monotonic)
    taken: float = 0.0
    unread: int = 0
    sequence: str = ""

    @property
    def is_given_up(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.answer.done()

    def settle(self, answer: Answer) -> None:
        """Give the answer to whoever waits for it."""
        if not self.answer.done():
            self.answer.set_result(answer)
        self.parts.put_nowait(None)

    def put(self, part: Answer, most: int) -> None:
        """Hand a part on; a client that leaves more than ``most`` bytes unread is given up.

        So is one that leaves `MOST_PARTS` unread, however short they are. Nothing is kept for one
        that is given up.
        """
        if self.is_given_up:
            return
        self.unread += len(part.body)
        if self.unread <= most and self.parts.qsize() < MOST_PARTS:
            self.parts.put_nowait(part)
        else:
            self.answer.cancel()
            self.parts.put_nowait(None)


def _future() -> "asyncio.Future[Answer]":
    return asyncio.get_running_loop().create_future()


class JobQueue:
    """Holds at most ``most`` requests."""

    def __init__(self, model: str, most: int) -> None:
        self._model = model
        self.most = most
        self._jobs: deque[Job] = deque()
        self._came = asyncio.Event()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._jobs)

    def check(self, sequence: str = "") -> None:
        """Raise ``Refusal`` where the queue is full."""
        if len(self._jobs) >= self.most:
            raise Refusal(
                503,
                "ServiceUnavailableException",
                f'Model "{self._model}" has no worker free, and {self.most} requests wait: try '
                "again later.",
                retry_after=1,
            )

    def put(self, job: Job) -> None:
        """Have a request wait; raises ``Refusal`` where the queue is full."""
        self.check()
        self._jobs.append(job)
        self._came.set()

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Have requests wait again that no worker has begun, before all others."""
        self._jobs.extendleft(reversed(jobs))
        self._came.set()

    def drop(self, job: Job) -> None:
        """Take a request out whose client has gone, if it still waits."""
        if job in self._jobs:
            self._jobs.remove(job)

    async def take(self, most: int, delay: float) -> list[Job]:
        """Return the next batch: at most ``most`` requests, ``delay`` seconds after the first.

        All are of one command, predictions or explanations. One worker at a time collects.
        """
        async with self._turn:
            batch: list[Job] = []
            deadline: float | None = None
            try:
                while len(batch) < most and await self._wait(deadline):
                    if batch and self._jobs[0].command != batch[0].command:
                        break
                    batch.append(self._jobs.popleft())
                    deadline = deadline or time.monotonic() + delay
            except asyncio.CancelledError:
                self.put_back(batch)
                raise
        now = time.monotonic()
        for job in batch:
            job.taken = now
        return batch

    async def take_from(self, backlog: int, most: int) -> list[Job]:
        """Return at most ``most`` requests of one command, once at least ``backlog`` wait."""
        while len(self._jobs) < backlog:
            self._came.clear()
            await self._came.wait()
        return self.take_now(most)

    def take_now(self, most: int) -> list[Job]:
        """Return at most ``most`` requests of one command that wait now."""
        batch: list[Job] = []
        command = self._jobs[0].command if self._jobs else ""
        while self._jobs and len(batch) < most and self._jobs[0].command == command:
            batch.append(self._jobs.popleft())
            batch[-1].taken = time.monotonic()
        return batch

    async def _wait(self, deadline: float | None) -> bool:
        """Wait until a request is there; return False where none was by the deadline."""
        while not self._jobs:
            self._came.clear()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except (TimeoutError, asyncio.TimeoutError):
                return False
        return True
