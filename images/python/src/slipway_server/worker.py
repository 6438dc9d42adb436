"""A worker: the process that runs an archive's handler, batch after batch.

It has one socket to the front, and trusts it. Its standard output and error are pipes that the
front reads: a handler may print what it likes. The front may send a batch while another is worked
on; what it drops of it meanwhile, since its client has gone, is not worked on.
"""

import contextlib
import gc
import logging
import os
import select
import socket
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ts.context import Context
from ts.metrics.metrics_store import MetricsStore
from ts.utils.util import PredictionException

from slipway_server import answers, archive, frames, loading, model_config
from slipway_server.answers import Answer
from slipway_server.batch import Batch
from slipway_server.errors import ArchiveError
from slipway_server.forking import Forks
from slipway_server.sharing import Randomness, Threads, descriptors, obstacle

_LOG = logging.getLogger(__name__)
_TRACEBACK_CHARACTERS = 8192


class Worker:
    """One model, its handler, and the socket to the front."""

    def __init__(self, sock: socket.socket, told: Mapping[str, Any]) -> None:
        self._sock = sock
        self._told = told
        self._most = int(told["max_response_bytes"])
        self._metrics = MetricsStore(told["model_name"])
        self._folder = Path(told["folder"])
        self._manifest = archive.read(self._folder)
        config = model_config.load(self._folder, self._manifest.config_file)
        self._ids: list[str] = []
        self._going_on: list[str] = []
        self._is_continuous = config.is_continuous
        self._is_stateful = config.is_continuous or config.is_sequence
        self._context = Context(
            model_name=told["model_name"],
            model_dir=told["folder"],
            manifest=self._manifest.raw,
            batch_size=told["batch_size"],
            gpu=_gpu(told["gpus"], told["number"]),
            model_yaml_config=config.raw,
            metrics=self._metrics,
            stream=self,
        )
        self._entry: loading.Entry | None = None

    def load(self) -> None:
        """Load the handler and its model; whatever is wrong with it is raised."""
        os.chdir(self._folder)
        self._entry = loading.load(
            self._folder, self._manifest.handler, self._context, self._told.get("envelope") or ""
        )

    def use(self, sock: socket.socket) -> None:
        """Answer what comes by another socket."""
        self._sock = sock

    def run(self) -> None:
        """Answer batches until the front is gone."""
        waiting: deque[Batch] = deque()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                if waiting and not select.select([self._sock], [], [], 0)[0]:
                    frames.send(self._sock, self.answer(waiting.popleft()))
                elif (frame := frames.receive(self._sock)) is None:
                    return
                elif frame.kind == "drop":
                    for batch in waiting:
                        batch.drop(str(frame.head["id"]))
                else:
                    waiting.append(Batch.of(frame))

    def answer(self, batch: Batch) -> frames.Frame:
        """Return the frame that answers a batch."""
        self._ids, self._going_on = batch.ids, []
        given: Sequence[Answer] = []
        if batch.requests:
            with self._metrics.timed("PredictionTime"):
                given = self._answers(batch)
        head = {
            "kind": "answers",
            "answers": _told_of(batch.ids, given),
            "going_on": self._going_on,
            "metrics": self._metrics.taken(),
        }
        return frames.Frame(head, [one.body for one in given])

    def send(self, values: Sequence[Any]) -> None:
        """Send one part for each request of the batch before its answer: a `ts.context.Stream`."""
        given = [self._one(index, value, is_part=True) for index, value in enumerate(values)]
        head = {"kind": "parts", "answers": _told_of(self._ids, given)}
        frames.send(self._sock, frames.Frame(head, [one.body for one in given]))

    def _answers(self, batch: Batch) -> list[Answer]:
        """Have the handler answer a batch; where it blames a request of it, each one alone.

        A handler that keeps what it is told is not asked for the same again.
        """
        self._context.begin(batch.requests, batch.command)
        data = [{one.name: one.decoded() for one in fields} for fields in batch.fields]
        try:
            return self._all(self._call(data), len(data))
        except BaseException as error:
            self._going_on = []
            refusal = _refusal(error)
            if refusal is not None and len(data) > 1 and not self._is_stateful:
                return [answer for one in batch.alone() for answer in self._answers(one)]
            if refusal is not None:
                text = answers.text_of(error)
                _LOG.info("The handler refused %s: %s", batch.told, text)
                return [refusal] * len(data)
            _LOG.exception("The handler failed at %s", batch.told)
            return [_failed(error)] * len(data)

    def _call(self, data: list[dict[str, Any]]) -> Any:
        assert self._entry is not None  # noqa: S101 - load goes before
        process = os.getpid()
        try:
            return self._entry(data, self._context)
        except SystemExit as error:
            raise RuntimeError(f"The handler called sys.exit({error.code}).") from error
        finally:
            if os.getpid() != process:  # a copy that the handler has made of this process
                os._exit(0)

    def _all(self, given: Any, count: int) -> list[Answer]:
        try:
            answers.check_shape(given, count)
        except answers.InvalidAnswer as problem:
            return [_told_invalid(problem)] * count
        criteria = self._context.stopping_criteria if self._is_continuous else None
        if criteria:
            return [self._step(index, value, criteria[index]) for index, value in enumerate(given)]
        return [self._one(index, value) for index, value in enumerate(given)]

    def _step(self, index: int, value: Any, stops: Callable[[Any], Any]) -> Answer:
        """Return the answer of a step; the request goes on where its criterion says False."""
        verdict = stops(value)
        try:
            answer = self._encoded(index, value, is_part=True)
        except answers.InvalidAnswer as problem:
            return _told_invalid(problem)
        if verdict is not None and not verdict:
            self._going_on.append(self._ids[index])
        return answer

    def _one(self, index: int, value: Any, *, is_part: bool = False) -> Answer:
        try:
            return self._encoded(index, value, is_part=is_part)
        except answers.InvalidAnswer as problem:
            return _told_invalid(problem)

    def _encoded(self, index: int, value: Any, *, is_part: bool) -> Answer:
        context = self._context
        body, kind = answers.encoded(value, self._most)
        status = answers.checked(context.get_response_status(index)[0])
        told = context.get_response_headers(index)
        return Answer(status, body, answers.headers(told, "" if is_part else kind))


def _told_invalid(problem: answers.InvalidAnswer) -> Answer:
    _LOG.warning("%s", problem)
    return answers.invalid(problem)


def _gpu(count: int, number: int) -> int | None:
    """Return the GPU of the worker with a number; None for the CPU. -1 stands for all there are."""
    if count < 0:
        import torch

        count = torch.cuda.device_count()
    return number % count if count else None


def _refusal(error: BaseException) -> Answer | None:
    """Return the answer for an exception that blames the request, with a code from 400 to 499.

    It is TorchServe's PredictionException, or a ``BadRequest`` with a ``code``, as Slipway's
    library for handlers has it. None for other errors, which are the handler's.
    """
    ours = {"PredictionException": "error_code", "BadRequest": "code"}
    for cls in type(error).__mro__:
        code = getattr(error, ours.get(cls.__name__, ""), None)
        if isinstance(code, int) and 400 <= code <= 499:
            message = answers.text_of(getattr(error, "message", error))
            return answers.error(int(code), "BadRequest", message)
    return None


def _failed(error: BaseException) -> Answer:
    """Return the answer for a batch whose handler failed, with TorchServe's codes and words."""
    if isinstance(error, PredictionException):
        return _plain(error.error_code, error.message)
    if isinstance(error, MemoryError) or "CUDA" in answers.text_of(error):
        return _plain(507, "Out of resources")
    return _plain(503, "Prediction failed")


def _plain(status: Any, message: Any) -> Answer:
    is_status = isinstance(status, int) and 200 <= status <= 599
    text = answers.text_of(message)
    return answers.error(status if is_status else 500, "InternalServerException", text)


def _told_of(ids: Sequence[str], given: Sequence[Answer]) -> list[Any]:
    return [
        [request, one.status, one.phrase, one.headers]
        for request, one in zip(ids, given, strict=False)
    ]


def serve(sock: socket.socket) -> int:
    """Take what to serve from the first frame, load it, and answer; return the exit code.

    Where the front asks for it and `slipway_server.sharing` allows it, others are forked from this
    process instead, which have the model then.
    """
    told = frames.receive(sock)
    if told is None:
        return 0
    is_asked, before = bool(told.head.get("share")), descriptors()
    randomness, threads = Randomness(), Threads()
    try:
        worker = Worker(sock, told.head)
        if is_asked:
            threads.hold()
        worker.load()
    except BaseException as error:
        frames.send(sock, frames.Frame({"kind": "failed", "text": _told(error)}))
        return 1
    why_not = obstacle(before) if is_asked else "it is not asked for"
    frames.send(sock, frames.Frame({"kind": "ready", "shared": not why_not, "why": why_not}))
    if not why_not:
        return _share(sock, worker, randomness, threads)
    threads.release()
    worker.run()
    return 0


def _share(sock: socket.socket, worker: Worker, randomness: Randomness, threads: Threads) -> int:
    def become(own: socket.socket) -> int:
        randomness.renew_unless_seeded()
        threads.release()
        worker.use(own)
        frames.send(own, frames.Frame({"kind": "ready"}))
        worker.run()
        return 0

    gc.collect()
    gc.freeze()
    Forks(sock, become).serve()
    return 0


def _told(error: BaseException) -> str:
    if isinstance(error, ArchiveError):
        return str(error)
    return "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
