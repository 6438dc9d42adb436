"""The second container of a packaging with samples: the archive's own handler answers the rows.

It has neither the store's credentials nor a key, and its image is the Python server's, whose server
loads the handler as a serving pod does. Each row is asked alone, and then again with others beside
it, in another order: a model whose answers depend on what is asked besides has none to be compared
with. The answers go to `handed.ANSWERS`, and so do the median time of an answer and, once the
server has ended, what the user's own function makes of the answers.

With ``package.optimize`` the candidates are made and measured first, and the best one answers.

Variables: ``SLIPWAY_SAMPLES`` (JSON: ``modelName``, ``tolerance``, ``evaluate`` where there is such
a function, and ``timeoutSeconds`` for all of it), and ``SLIPWAY_OPTIMIZE`` (JSON of the package's
``optimize``, where there is one). The termination message has the reason Answered, SamplesFailed or
EvaluateFailed. Exit codes: 0; 65 where the model does not answer, or the function returns no
figures, which no other try mends; 143 where it was told to stop; else 1.
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_pods.package.optimize import handing
from slipway_pods.package.optimize.choice import Wanted
from slipway_pods.package.samples import handed
from slipway_pods.package.samples.evaluation import EvaluationError, Program, evaluate
from slipway_pods.package.samples.figures import Figures
from slipway_pods.serve import page
from slipway_pods.serve.samples.asking import AnswerError, Asked, compare
from slipway_pods.serve.samples.rows import Sample, SamplesError
from slipway_pods.serve.samples.stored import MAX_TOLERANCE, Row
from slipway_runtime import strict
from slipway_runtime.termination import (
    EX_DATAERR,
    EX_SIGTERM,
    Stopped,
    read_tail,
    say,
    stop_on_signal,
    write_message,
)

MAX_SECONDS = 86_400
MAX_SETTINGS_BYTES = 8192
MAX_PROGRAM = 512
"""Longest name of an evaluation's file and function, in characters."""
WARM_UP = 3
"""How often the first row is asked before answers are timed."""
BATCH_DELAY_MILLISECONDS = 10
"""How long a batch waits for more rows here, where nearly all are asked alone."""
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Settings:
    """The model's name, by how much answers may differ, and how long all may take in seconds.

    ``program`` is the user's evaluation, if there is one.
    """

    model: str
    tolerance: float
    seconds: float
    program: Program | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings; raises ValueError or KeyError."""
        value = strict.loads(env["SLIPWAY_SAMPLES"].encode(), MAX_SETTINGS_BYTES)
        told = strict.Fields(value)
        return cls(
            model=told.text("modelName", 128),
            tolerance=told.number("tolerance", MAX_TOLERANCE),
            seconds=told.number("timeoutSeconds", MAX_SECONDS),
            program=Program.named(told.text("evaluate", MAX_PROGRAM))
            if "evaluate" in value
            else None,
        )


def answer(
    settings: Settings, archive: Path, samples: Sequence[Sample], log: Path, deadline: float
) -> tuple[list[Any], float]:
    """Return the answers to all rows, JSON values or bytes, and the median time of one in seconds.

    Raises AnswerError.
    """
    with _serving(archive, log) as (server, port):
        _wait(server, port, deadline)
        url = f"http://127.0.0.1:{port}/predictions/{settings.model}"
        asked = Asked(url, settings.seconds, deadline)
        given, seconds = _timed(asked, samples)
        rows = (Row(*pair) for pair in zip(samples, given, strict=True))
        try:
            compare(asked, list(enumerate(rows, start=1))[::-1], settings.tolerance)
        except AnswerError as error:
            text = f"The model does not answer a row the same way beside others: {error}"
            raise AnswerError(text) from error
        return given, seconds


def _timed(asked: Asked, samples: Sequence[Sample]) -> tuple[list[Any], float]:
    """Ask each row alone, once the model is warm; return the answers and the median time of one."""
    for _ in range(WARM_UP):
        asked.answer(1, samples[0])
    given, took = [], []
    for number, each in enumerate(samples, start=1):
        begun = time.perf_counter()
        given.append(asked.answer(number, each))
        took.append(time.perf_counter() - begun)
    return given, statistics.median(took)


@contextlib.contextmanager
def _serving(archive: Path, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Serve an archive on the CPU until the block ends; gives the process and its port."""
    ports = free_ports(3)
    doors = zip(("--port", "--management-port", "--metrics-port"), ports, strict=True)
    words = [str(word) for door in doors for word in door]
    batches = ["--workers", "1", "--max-batch-delay", str(BATCH_DELAY_MILLISECONDS)]
    command = [sys.executable, "-P", "-m", "slipway_server", *words, *batches, str(archive)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield server, ports[0]
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def free_ports(count: int) -> list[int]:
    """Return as many different ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(server: "subprocess.Popen[bytes]", port: int, deadline: float) -> None:
    """Return once the model is loaded; raises AnswerError where it is not, or not in time."""
    while True:
        code = server.poll()
        if code is not None:
            raise AnswerError(f"The packaged model cannot be loaded: the server ended with {code}.")
        left = deadline - time.monotonic()
        if left <= 0:
            raise AnswerError("The packaged model had not been loaded in time.")
        with contextlib.suppress(OSError):
            if page.ask(f"http://127.0.0.1:{port}/ping", min(5.0, left)).status == 200:
                return
        time.sleep(POLL_SECONDS)


def optimized(env: Mapping[str, str], archive: Path, log: Path) -> Path:
    """Return the archive, or a folder of it with a better form of its model where that is asked."""
    if "SLIPWAY_OPTIMIZE" not in env:
        return archive
    wanted = Wanted.of(strict.loads(env["SLIPWAY_OPTIMIZE"].encode(), MAX_SETTINGS_BYTES))
    return handing.optimized(wanted, archive, log.parent)


def attempt(env: Mapping[str, str], log: Path) -> tuple[int, dict[str, Any]]:
    """Answer the rows, and evaluate; return the exit code and the termination message."""
    try:
        settings = Settings.from_environment(env)
        samples = handed.samples()
        archive = optimized(env, handed.taken().archive, log)
        deadline = time.monotonic() + settings.seconds
        given, seconds = answer(settings, archive, samples, log, deadline)
        handed.write(given)
        program = settings.program
        found = evaluate(program, log.parent, deadline, log) if program else {}
        handed.tell(Figures(seconds, found))
    except EvaluationError as error:
        return EX_DATAERR, {"reason": "EvaluateFailed", "message": str(error)}
    except AnswerError as error:
        return EX_DATAERR, {"reason": "SamplesFailed", "message": str(error)}
    except SamplesError as error:
        text = f"package.samples cannot be used: {error}."
        return EX_DATAERR, {"reason": "SamplesFailed", "message": text}
    except (OSError, ValueError, KeyError) as error:
        return 1, {"reason": "SamplesFailed", "message": f"The rows were not asked: {error!r}."}
    return 0, {"reason": "Answered", "message": f"{len(samples)} rows are answered."}


def main(env: Mapping[str, str]) -> int:
    """Answer the rows, write the termination message, and return the exit code."""
    stop_on_signal()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        try:
            code, message = attempt(env, log)
        except Stopped:
            code = EX_SIGTERM
            message = {"reason": "Interrupted", "message": "The pod was told to stop."}
        tail = read_tail(log) if code else ""
    write_message({**message, **({"logTail": tail} if tail else {})})
    say(f"{message['message']}\n{tail}".strip())
    return code


if __name__ == "__main__":
    sys.exit(main(os.environ))
