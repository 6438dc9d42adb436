"""The place of one worker: its process, the batches that it is given, and its next process."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway_server import frames
from slipway_server.answers import Answer, error
from slipway_server.forks import GivenUp, Zygote
from slipway_server.frames import Bounds, Frame, FrameError
from slipway_server.metrics import Metrics
from slipway_server.queue import Job, JobQueue

_LOG = logging.getLogger(__name__)
_TAIL_BYTES = 4096
"""How much of what a worker printed last is told when it ends."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""A worker that ends again and again without having answered is made again after such pauses."""
MOST_FAILURES = 5
"""After so many starts in a row that ended before the model was loaded, the server gives up."""


@dataclass(frozen=True)
class Plan:
    """What workers serve, and how; times are in seconds, sizes in bytes."""

    told: Mapping[str, Any]
    workers: int
    batch_size: int
    batch_delay: float
    response_timeout: float
    startup_timeout: float
    most_response_bytes: int


@dataclass
class _Process:
    """One process of a worker."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    printed: "deque[bytes]" = field(default_factory=lambda: deque(maxlen=8))

    def last_lines(self) -> str:
        """Return the end of what it printed."""
        return b"".join(self.printed)[-_TAIL_BYTES:].decode(errors="replace")


class Slot:
    """The place of one worker: it has a process, or waits for the next one."""

    def __init__(
        self, number: int, plan: Plan, zygote: Zygote, queue: JobQueue, metrics: Metrics
    ) -> None:
        self.number = number
        self.is_ready = False
        self.pid = 0
        self.started = 0.0
        self.last_death = ""
        self._plan = plan
        self._zygote = zygote
        self._queue = queue
        self._metrics = metrics
        self._bounds = Bounds(total=plan.most_response_bytes * max(plan.batch_size, 1))
        self._failures = 0

    async def run(self) -> None:
        """Keep a worker, for ever; raises ``GivenUp`` where none can be started."""
        pause = _FIRST_PAUSE
        while True:
            process, output = await self._start()
            try:
                served = await self._serve(process)
            finally:
                self.is_ready = False
                await self._end(process, output)
            pause = _FIRST_PAUSE if served else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(0 if served else pause)

    async def _start(self) -> tuple[_Process, asyncio.Task[None]]:
        pid, sock, pipe = await self._zygote.fork()
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        process = _Process(pid, reader, writer)
        self.pid, self.started = pid, time.time()
        output = asyncio.create_task(_copy(pipe, process.printed))
        await self._send(process, Frame(dict(self._plan.told)))
        return process, output

    async def _send(self, process: _Process, frame: Frame) -> None:
        process.writer.writelines(frames.encoded(frame))
        with contextlib.suppress(ConnectionError):
            await process.writer.drain()

    async def _serve(self, process: _Process) -> bool:
        """Load the model and answer batches until the worker ends; tell whether it answered any."""
        if not await self._load(process):
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise GivenUp(self.last_death)
            return False
        self._failures, self.is_ready, served = 0, True, False
        while True:
            batch = await self._batch(process)
            if batch is None or not await self._answer(process, batch):
                return served
            served = True

    async def _load(self, process: _Process) -> bool:
        said = await self._frame(process, self._plan.startup_timeout)
        if said is not None and said.kind == "ready":
            return True
        if said is not None and said.kind == "failed":
            self.last_death = str(said.head.get("text", ""))[:8192]
        else:
            self.last_death = f"It did not load within {self._plan.startup_timeout:.0f} s."
        _LOG.error("Worker %d cannot load the model: %s", self.number, self.last_death)
        return False

    async def _frame(self, process: _Process, seconds: float) -> Frame | None:
        try:
            return await asyncio.wait_for(frames.read(process.reader, self._bounds), seconds)
        except FrameError as problem:
            _LOG.error("Worker %d said what is no answer: %s", self.number, problem)
        except (TimeoutError, asyncio.TimeoutError):
            pass
        return None

    async def _batch(self, process: _Process) -> list[Job] | None:
        """Return the next batch; None where the worker ended meanwhile."""
        taking = asyncio.ensure_future(
            self._queue.take(self._plan.batch_size, self._plan.batch_delay)
        )
        ending = asyncio.ensure_future(self._zygote.ended(process.pid))
        try:
            await asyncio.wait({taking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                return None
            return [job for job in taking.result() if not job.is_given_up]
        finally:
            taking.cancel()
            ending.cancel()

    async def _answer(self, process: _Process, batch: Sequence[Job]) -> bool:
        """Have a batch answered; return False where the worker ended, or has to."""
        if not batch:
            return True
        self._metrics.taken([job.taken - job.entered for job in batch])
        head = {
            "kind": "batch",
            "command": batch[0].command,
            "requests": [dict(job.head) for job in batch],
        }
        values = [value for job in batch for value in job.values]
        await self._send(process, Frame(head, values))
        deadline = time.monotonic() + self._plan.response_timeout
        while (said := await self._frame(process, deadline - time.monotonic())) is not None:
            if said.kind == "parts":
                _hand_on(said, batch)
            elif self._settle(said, batch):
                return True
            else:
                break
        for job in batch:
            job.settle(error(500, "InternalServerException", "Worker died."))
        return False

    def _settle(self, said: Frame, batch: Sequence[Job]) -> bool:
        """Give each request its answer, if that is what the worker said."""
        self._metrics.update(said.head.get("metrics"))
        told = said.head.get("answers")
        if said.kind != "answers" or not isinstance(told, list):
            return False
        if not len(told) == len(said.parts) == len(batch):
            return False
        try:
            given = [
                Answer(int(status), bytes(body), [(str(k), str(v)) for k, v in pairs], str(phrase))
                for (status, phrase, pairs), body in zip(told, said.parts, strict=True)
            ]
        except (TypeError, ValueError):
            return False
        for job, one in zip(batch, given, strict=True):
            job.settle(one)
        return True

    async def _end(self, process: _Process, output: "asyncio.Task[None]") -> None:
        """End a worker that has not ended by itself, and say how it did."""
        process.writer.close()
        self._zygote.kill(process.pid)
        status = await self._zygote.ended(process.pid)
        self._zygote.forget(process.pid)
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(output, 1)
        self._metrics.died()
        self.last_death = self.last_death or f"{how_ended(status)} {process.last_lines()}".strip()
        _LOG.error("Worker %d ended: %s", self.number, how_ended(status))


def how_ended(status: int) -> str:
    """Return in words how a process ended, by what `os.waitpid` tells."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"It was ended by signal {number} ({signal.strsignal(number)})."
    return f"It ended with exit code {os.waitstatus_to_exitcode(status)}."


def _hand_on(said: Frame, batch: Sequence[Job]) -> None:
    """Hand parts of answers to the clients that still wait."""
    kind = said.head.get("type")
    for job, part in zip(batch, said.parts, strict=False):
        job.part_type = str(kind) if kind else None
        job.parts.put_nowait(bytes(part))


async def _copy(pipe: int, kept: "deque[bytes]") -> None:
    """Copy what a worker prints to the server's own output; keep its end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
    )
    try:
        while chunk := await reader.read(_TAIL_BYTES):
            kept.append(chunk)
            sys.stderr.buffer.write(chunk)
            sys.stderr.buffer.flush()
    finally:
        transport.close()
