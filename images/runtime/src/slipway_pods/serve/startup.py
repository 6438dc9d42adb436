"""Watch TorchServe start, and end it with a word where its workers do not come up.

A worker that cannot load its model is started again and again while TorchServe itself looks well:
left alone, nobody would be told why the pod does not get ready. The server image's start script
runs this program beside TorchServe. Once all workers are READY it follows them (see
`slipway_pods.serve.deaths`) until TorchServe ends. Where they have ended too
often, or not come up in time, it writes the termination message, whose reason is ModelLoadFailed
and whose ``logTail`` is the end of the workers' own log, and sends SIGTERM to its parent, which is
TorchServe. Before anything else it takes back the drain that the preStop hook began, in case that
the container was stopped and not the pod. With a smoke test, or rows in the archive
(`slipway_pods.serve.samples`), it does the contrary: Envoy says that the pod is not ready until the
model has passed. A model that fails ends TorchServe, with the reason SmokeTestFailed or
SamplesFailed; one that gives no answer in time, with ModelLoadFailed.

Variables: ``SLIPWAY_MODEL`` (the model's name), ``SLIPWAY_WORKERS`` (1),
``SLIPWAY_STARTUP_SECONDS`` (longest time to come up; as TorchServe's configuration at
``SLIPWAY_CONFIG`` says by default, or the archive, or 600), ``SLIPWAY_ARCHIVE`` (the archive),
``SLIPWAY_MANAGEMENT`` (http://127.0.0.1:8081), ``SLIPWAY_INFERENCE`` (http://127.0.0.1:8080),
``LOG_LOCATION`` (the folder of ``model.log``), ``SLIPWAY_SMOKE_TEST`` (the file of
`slipway_pods.serve.smoke`; none by default), ``SLIPWAY_RESPONSE_SECONDS`` (longest time for one
answer of a test, 120), ``SLIPWAY_DEATHS_PORT`` (of the page that tells why a worker died, 9902; 0
for none), ``SLIPWAY_END_SIGNAL`` (what ends the parent so that its exit code tells of a failure,
SIGTERM), and ``SLIPWAY_ENVOY_ADMIN`` (see `slipway_runtime.drain`).
"""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from slipway_pods.serve import deaths
from slipway_pods.serve.samples import starting, stored
from slipway_pods.serve.samples.asking import Asked
from slipway_pods.serve.server_config import (
    InvalidArchiveError,
    own_startup_timeout,
    startup_timeout,
)
from slipway_pods.serve.smoke import SmokeTest, SmokeTestError
from slipway_runtime import drain
from slipway_runtime.termination import clean_tail, say, write_message

POLL_SECONDS = 0.5
DEFAULT_SECONDS = 600.0
TRIES = 3
"""How often each worker may be started, on the average, before the model counts as broken."""
FIRST_LINE = "s_name_part0="
"""What each worker of TorchServe 0.12 logs when it starts (ts/model_service_worker.py)."""

TRACEBACK = "Traceback (most recent call last)"
"""How Python begins to tell of an exception."""

REFUSAL = "Error while registering model"
"""What TorchServe logs where it cannot take an archive; it goes on without workers."""


@dataclass(frozen=True)
class Settings:
    """What to wait for; ``longest`` and ``answer`` are in seconds."""

    model: str
    workers: int
    longest: float
    management: str
    log: Path
    inference: str
    smoke_test: Path | None
    archive: Path | None
    answer: float
    deaths_port: int
    end_signal: signal.Signals

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings; raises ValueError for a number that is none, KeyError for no model."""
        return cls(
            model=env["SLIPWAY_MODEL"],
            workers=int(env.get("SLIPWAY_WORKERS", "1")),
            longest=_longest(env),
            management=env.get("SLIPWAY_MANAGEMENT", "http://127.0.0.1:8081"),
            log=Path(env.get("LOG_LOCATION", "/tmp"), "model.log"),  # noqa: S108 - the image's
            inference=env.get("SLIPWAY_INFERENCE", "http://127.0.0.1:8080"),
            smoke_test=Path(env["SLIPWAY_SMOKE_TEST"]) if "SLIPWAY_SMOKE_TEST" in env else None,
            archive=Path(env["SLIPWAY_ARCHIVE"]) if "SLIPWAY_ARCHIVE" in env else None,
            answer=float(env.get("SLIPWAY_RESPONSE_SECONDS", "120")),
            deaths_port=int(env.get("SLIPWAY_DEATHS_PORT", deaths.PORT)),
            end_signal=signal.Signals[env.get("SLIPWAY_END_SIGNAL", "SIGTERM")],
        )

    @property
    def predictions(self) -> str:
        """Where the model is asked."""
        return f"{self.inference}/predictions/{self.model}"


def _longest(env: Mapping[str, str]) -> float:
    """Return how long workers may take to come up: as we are told, or as the server is."""
    if "SLIPWAY_STARTUP_SECONDS" in env:
        return float(env["SLIPWAY_STARTUP_SECONDS"])
    try:
        if "SLIPWAY_CONFIG" in env:
            return startup_timeout(Path(env["SLIPWAY_CONFIG"]).read_text("utf-8"))
        return own_startup_timeout(Path(env["SLIPWAY_ARCHIVE"]))
    except (InvalidArchiveError, OSError, ValueError, KeyError, TypeError, StopIteration):
        return DEFAULT_SECONDS


@dataclass(frozen=True)
class Failure:
    """Why the pod must not serve: one sentence, and the log that tells more."""

    message: str
    log: str
    reason: str = "ModelLoadFailed"


def wait(settings: Settings, parent: int) -> Failure | None:
    """Return None once the workers are READY or the parent is gone, or why they did not come up."""
    deadline = time.monotonic() + settings.longest
    while os.getppid() == parent:
        ready = ready_workers(settings)
        if ready is not None and ready >= settings.workers:
            return None
        log = read_log(settings.log)
        if ready is None or REFUSAL in log:
            return Failure("TorchServe did not take the archive.", log)
        failure = find_failure(settings, log, late=time.monotonic() > deadline)
        if failure:
            return failure
        time.sleep(POLL_SECONDS)
    return None


def find_failure(settings: Settings, log: str, *, late: bool) -> Failure | None:
    """Return why workers that are not READY are not worth more patience, or None."""
    attempts = split_attempts(log)
    if len(attempts) > TRIES * settings.workers:
        text = f"The model cannot be loaded: its workers ended {len(attempts) - 1} times."
        return Failure(text, most_telling(attempts[:-1]))
    if late:
        text = f"The workers had not loaded the model in {settings.longest:.0f} s."
        return Failure(text, attempts[-1] if attempts else log)
    return None


def ready_workers(settings: Settings) -> int | None:
    """Return how many workers are READY; 0 while TorchServe does not answer.

    None where it answers that it has no such model: it does not listen before it has tried to
    take the archive, and does not try again.
    """
    url = f"{settings.management}/models/{settings.model}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            (description,) = json.load(answer)
    except urllib.error.HTTPError as error:
        return None if error.code == HTTPStatus.NOT_FOUND else 0
    except (OSError, ValueError):
        return 0
    return [worker["status"] for worker in description["workers"]].count("READY")


def read_log(path: Path) -> str:
    """Return the workers' log; empty while there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def split_attempts(log: str) -> list[str]:
    """Return what the log says from each start of a worker to the next one."""
    return [part.partition("\n")[2] for part in log.split(FIRST_LINE)[1:]]


def log_of(path: Path, pid: int) -> str:
    """Return what the worker with a process id wrote, else all that is left of the log."""
    log = read_log(path)
    for attempt in reversed(log.split(FIRST_LINE)[1:]):
        head, _, rest = attempt.partition("\n")
        if head.endswith(f"pid={pid}"):
            return rest
    return log


def most_telling(attempts: list[str]) -> str:
    """Return the last attempt that tells of an exception, else the last one.

    TorchServe stops reading a worker's log when the worker's connection ends (WorkerLifeCycle's
    ReaderThread), so that now and then an attempt lacks its traceback.
    """
    return next((log for log in reversed(attempts) if TRACEBACK in log), attempts[-1])


def take_back_drain(settings: drain.Settings) -> None:
    """Let the pod be ready again; without Envoy there is nothing to take back."""
    try:
        drain.resume(settings)
    except OSError as error:
        say(f"Envoy was not told of the start: {error}")


def pass_smoke_test(settings: Settings) -> Failure | None:
    """Return None where the model answers the stored request as it should, or why not."""
    if settings.smoke_test is None:
        return None
    try:
        SmokeTest.read(settings.smoke_test).run(settings.predictions, settings.answer)
    except SmokeTestError as error:
        return Failure(str(error), read_log(settings.log), "SmokeTestFailed")
    except (OSError, ValueError, KeyError) as error:
        text = f"The smoke test cannot be read: {error!r}."
        return Failure(text, "", "SmokeTestFailed")
    return None


def pass_samples(settings: Settings, deadline: float, parent: int) -> Failure | None:
    """Return None where the model answers its archive's rows as when that was made, or why not."""
    if settings.archive is None or not stored.has(settings.archive):
        return None
    asked = Asked(settings.predictions, settings.answer, deadline)
    found = starting.problem(settings.archive, asked, lambda: os.getppid() == parent)
    if found is None:
        return None
    reason = Failure.reason if found.unanswered else "SamplesFailed"
    return Failure(found.message, read_log(settings.log), reason)


def watch(settings: Settings, envoy: drain.Settings, parent: int) -> Failure | None:
    """See the start through; return why the pod must not serve, or None.

    Raises OSError where Envoy cannot be kept from letting requests in before the model's tests.
    """
    deadline = time.monotonic() + settings.longest
    has_samples = settings.archive is not None and stored.has(settings.archive)
    if settings.smoke_test is None and not has_samples:
        take_back_drain(envoy)
        return wait(settings, parent)
    drain.hold(envoy)
    steps: tuple[Callable[[], Failure | None], ...] = (
        lambda: wait(settings, parent),
        lambda: pass_smoke_test(settings),
        lambda: pass_samples(settings, deadline, parent),
    )
    for step in steps:
        failure = step()
        if failure is not None or os.getppid() != parent:
            return failure
    drain.resume(envoy)
    return None


def follow(settings: Settings, parent: int) -> int:
    """Tell why workers die, for as long as TorchServe goes on; returns the exit code."""
    if not settings.deaths_port:
        return 0
    try:
        deaths.watch(
            settings.log.parent,
            settings.deaths_port,
            lambda pid: log_of(settings.log, pid),
            lambda: (ready_workers(settings) or 0) >= settings.workers,
            parent,
        )
    except OSError as error:
        say(f"the workers are not followed: {error}")
    return 0


def main() -> int:
    """Watch, and end the parent where the model cannot serve; returns the exit code."""
    parent = os.getppid()
    try:
        settings = Settings.from_environment(os.environ)
        failure = watch(settings, drain.Settings.from_environment(os.environ), parent)
    except (KeyError, ValueError) as error:
        say(f"the start is not watched: {error!r}")
        return 1
    except OSError as error:
        failure = Failure(f"Envoy cannot be told to wait for the tests of the model: {error}.", "")
    if os.getppid() != parent:
        return 0
    if failure is None:
        return follow(settings, parent)
    say(failure.message)
    word = {"reason": failure.reason, "message": failure.message}
    write_message({**word, "logTail": clean_tail(failure.log)})
    os.kill(parent, settings.end_signal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
