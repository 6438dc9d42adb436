"""The requests of sequences that wait, and where each worker takes its own from."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from slipway_server.errors import Refusal
from slipway_server.queue import Job, JobQueue
from slipway_server.stateful.sequences import (
    Bounds,
    SequenceFullError,
    SequenceLostError,
    Sequences,
    SequencesFullError,
)


class Source(Protocol):
    """Where one worker takes its requests from."""

    def begin(self) -> None:
        """Note that the worker is ready."""

    async def first(self, most: int, delay: float) -> list[Job]:
        """Wait until a worker that has no request may begin; return what is taken for it by then.

        That is when ``most`` requests are there, or ``delay`` seconds after the first.
        """

    def more(self, most: int) -> list[Job]:
        """Return requests that wait now, at most so many."""

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Have requests wait again that `first` has taken and that were not given."""

    def finish(self, job: Job) -> None:
        """Note that the worker is done with a request."""

    def close(self, names: Sequence[str]) -> None:
        """Note that the worker has ended sequences."""

    def end(self) -> list[Job]:
        """Note that the worker has ended; return the requests that wait in vain."""


class Shared:
    """The queue of all workers, for one of them: a `Source`."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self.first = queue.take
        self.more = queue.take_now
        self.put_back = queue.put_back

    def begin(self) -> None:
        """Do nothing: any worker may take any request."""

    def finish(self, job: Job) -> None:
        """Do nothing: no request belongs to another."""

    def close(self, names: Sequence[str]) -> None:
        """Do nothing: there are no sequences."""

    def end(self) -> list[Job]:
        """Return nothing: other workers take what waits."""
        return []


class SequenceQueue:
    """What waits of all sequences of a model; it has the front's side of a `JobQueue`."""

    def __init__(self, model: str, bounds: Bounds, *, together: bool) -> None:
        self._model = model
        self._bounds = bounds
        self.sequences: Sequences[Job] = Sequences(bounds, together=together)
        self._came = asyncio.Event()

    def __len__(self) -> int:
        return self.sequences.waiting

    @property
    def most(self) -> int:
        """How many requests may wait."""
        return self.sequences.most_waiting

    def check(self, sequence: str) -> None:
        """Raise ``Refusal`` where no request of a sequence is taken."""
        try:
            self.sequences.check(sequence, time.monotonic())
        except (SequencesFullError, SequenceFullError, SequenceLostError) as problem:
            raise self._refusal(problem) from None

    def put(self, job: Job) -> None:
        """Have a request wait; raises ``Refusal``."""
        self.check(job.sequence)
        self.sequences.add(job.sequence, job, time.monotonic())
        self.wake()

    def drop(self, job: Job) -> None:
        """Take a request out whose client has gone, if it still waits."""
        self.sequences.drop(job.sequence, job, time.monotonic())

    def wake(self) -> None:
        """Have all workers look whether there is anything for them."""
        self._came.set()
        self._came = asyncio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Wait until something has come, for so long at most."""
        try:
            await asyncio.wait_for(self._came.wait(), seconds)
        except (TimeoutError, asyncio.TimeoutError):
            return

    def _refusal(self, problem: Exception) -> Refusal:
        if isinstance(problem, SequenceLostError):
            return Refusal(
                500,
                "InternalServerException",
                "Worker died. What it knew of this sequence is lost: begin it again.",
            )
        bounds = self._bounds
        text = (
            f"{bounds.sequences} sequences are open (maxNumSequence)"
            if isinstance(problem, SequencesFullError)
            else f"{bounds.waiting} requests of this sequence wait (maxSequenceJobQueueSize)"
        )
        return Refusal(
            503,
            "ServiceUnavailableException",
            f'Model "{self._model}": {text}. Try again later.',
            retry_after=1,
        )


class Own:
    """One worker's share of a `SequenceQueue`: a `Source`."""

    def __init__(self, queue: SequenceQueue, worker: int) -> None:
        self._queue = queue
        self._sequences = queue.sequences
        self._worker = worker

    def begin(self) -> None:
        """Note that the worker is ready."""
        self._sequences.join(self._worker)

    async def first(self, most: int, delay: float) -> list[Job]:
        """Wait until the worker may begin; nothing is taken before it is given."""
        deadline: float | None = None
        while (ready := self._sequences.ready(self._worker)) < most:
            left = None
            if ready:
                deadline = deadline or time.monotonic() + delay
                left = deadline - time.monotonic()
                if left <= 0:
                    break
            await self._queue.wait(left)
        return []

    def more(self, most: int) -> list[Job]:
        """Return requests that wait now, at most so many."""
        now = time.monotonic()
        jobs = [job for _, job in self._sequences.take(self._worker, most)]
        for job in jobs:
            job.taken = now
        return jobs

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Do nothing: `first` takes nothing."""

    def finish(self, job: Job) -> None:
        """Note that the worker is done with a request."""
        self._sequences.finish(self._worker, job.sequence, time.monotonic())

    def close(self, names: Sequence[str]) -> None:
        """Note that the worker has ended sequences."""
        for name in names:
            self._sequences.end(self._worker, name, time.monotonic())

    def end(self) -> list[Job]:
        """Note that the worker has ended; return the requests that wait in vain."""
        lost = self._sequences.leave(self._worker)
        self._queue.wake()
        return lost
