"""A worker: the process that runs an archive's handler, batch after batch.

It has one socket to the front, and trusts it. Its standard output and error are pipes that the
front reads: a handler may print what it likes.
"""

import contextlib
import logging
import os
import socket
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway_server import answers, frames, loading
from slipway_server.answers import Answer, Field
from slipway_server.errors import ArchiveError
from ts.context import Context
from ts.metrics.metrics_store import MetricsStore
from ts.utils.util import PredictionException

_LOG = logging.getLogger(__name__)
_TRACEBACK_CHARACTERS = 8192


class Streamed:
    """Sends parts of answers while a handler works (`send_intermediate_predict_response`)."""

    def __init__(self, sock: socket.socket, most: int) -> None:
        self._sock = sock
        self._most = most

    def send(self, values: Sequence[Any], kind: str | None) -> None:
        """Send one part for each request of the batch."""
        parts = [answers.encoded(value, self._most) for value in values]
        frames.send(self._sock, frames.Frame({"kind": "parts", "type": kind}, parts))


class Worker:
    """One model, its handler, and the socket to the front."""

    def __init__(self, sock: socket.socket, told: Mapping[str, Any]) -> None:
        self._sock = sock
        self._told = told
        self._most = int(told["max_response_bytes"])
        self._metrics = MetricsStore(told["model_name"])
        self._context = Context(
            model_name=told["model_name"],
            model_dir=told["folder"],
            manifest=told["manifest"],
            batch_size=told["batch_size"],
            gpu=told["gpu"],
            model_yaml_config=told["config"],
            metrics=self._metrics,
            stream=Streamed(sock, self._most),
        )
        self._entry: loading.Entry | None = None

    def load(self) -> None:
        """Load the handler and its model; whatever is wrong with it is raised."""
        folder = Path(self._told["folder"])
        os.chdir(folder)
        self._entry = loading.load(folder, self._told["handler"], self._context)

    def answer(self, frame: frames.Frame) -> frames.Frame:
        """Return the frame that answers a batch's."""
        batch = _fields(frame)
        self._context.begin(frame.head["requests"], frame.head.get("command", "predict"))
        with self._metrics.timed("PredictionTime"):
            given = self._answers(batch)
        head = {
            "kind": "answers",
            "answers": [[one.status, one.phrase, one.headers] for one in given],
            "metrics": self._metrics.taken(),
        }
        return frames.Frame(head, [one.body for one in given])

    def _answers(self, batch: Sequence[Sequence[Field]]) -> Sequence[Answer]:
        data = [{one.name: one.decoded() for one in fields} for fields in batch]
        try:
            given = self._call(data)
            if not isinstance(given, list):
                raise answers.InvalidAnswer("Invalid model predict output")
            if len(given) != len(batch):
                raise answers.InvalidAnswer(
                    f"number of batch response mismatched, expect: {len(batch)}, got: {len(given)}."
                )
            return [self._one(index, value) for index, value in enumerate(given)]
        except BaseException as error:
            return [_failed(error)] * len(batch)

    def _call(self, data: list[dict[str, Any]]) -> Any:
        assert self._entry is not None  # noqa: S101 - load goes before
        try:
            return self._entry(data, self._context)
        except PredictionException as refusal:
            _LOG.info("The handler refused: %s", refusal)
            raise
        except Exception:
            _LOG.exception("The handler failed")
            raise

    def _one(self, index: int, value: Any) -> Answer:
        status, phrase = self._context.get_response_status(index)
        kind = self._context.get_response_content_type(index)
        pairs = answers.headers(self._context.get_response_headers(index), kind)
        return Answer(status, answers.encoded(value, self._most), pairs, phrase)

    def run(self) -> None:
        """Answer batches until the front is gone."""
        while (frame := frames.receive(self._sock)) is not None:
            frames.send(self._sock, self.answer(frame))


def _failed(error: BaseException) -> Answer:
    """Return the answer for a batch whose handler failed, with TorchServe's codes and words."""
    if isinstance(error, SystemExit | KeyboardInterrupt):
        raise error
    if isinstance(error, PredictionException):
        return _plain(error.error_code, error.message)
    if isinstance(error, answers.InvalidAnswer):
        return _plain(503, str(error))
    if isinstance(error, MemoryError) or "CUDA" in str(error):
        return _plain(507, "Out of resources")
    return _plain(503, "Prediction failed")


def _plain(status: int, message: str) -> Answer:
    return answers.error(status, "InternalServerException", message)


def _fields(frame: frames.Frame) -> list[list[Field]]:
    """Return the inputs of each request of a batch."""
    parts = iter(frame.parts)
    return [
        [
            Field(name, kind, bytearray(next(parts)), dict(headers))
            for name, kind, headers in request["fields"]
        ]
        for request in frame.head["requests"]
    ]


def serve(sock: socket.socket) -> int:
    """Take what to serve from the first frame, load it, and answer; return the exit code."""
    told = frames.receive(sock)
    if told is None:
        return 0
    try:
        worker = Worker(sock, told.head)
        worker.load()
    except BaseException as error:
        frames.send(sock, frames.Frame({"kind": "failed", "text": _told(error)}))
        return 1
    frames.send(sock, frames.Frame({"kind": "ready"}))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        worker.run()
    return 0


def _told(error: BaseException) -> str:
    if isinstance(error, ArchiveError):
        return str(error)
    return "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
