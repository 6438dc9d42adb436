"""The main process of a trainer container: torchrun, its watch, and the container's last word.

It runs in the user's own image under any Python from 3.9 on, with nothing but the standard
library: the sidecar puts it, and the modules that it needs, into the pod. It waits for the
rendezvous' name, runs torchrun or a plain command, asks the sidecar to store the output, and
writes the termination message. Its arguments, after an optional ``--``, are the training script's,
or the command. Everything else is told by environment variables: see
`slipway_runtime.launcher.run_settings`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from slipway_runtime import readable
from slipway_runtime.checkpoint.files import read_ledger
from slipway_runtime.checks.package_code import PackageError, check_source
from slipway_runtime.control import SOCKET_NAME, UploadError, request_upload
from slipway_runtime.launcher import commands, grace, leftovers, working_folder
from slipway_runtime.launcher.ending import (
    checkpoint_failure,
    describe_failure,
    stopped_message,
    stopped_together,
)
from slipway_runtime.launcher.log_trimmer import LogTrimmer
from slipway_runtime.launcher.run_settings import LaunchError, Settings, grace_seconds
from slipway_runtime.termination import (
    EX_SIGTERM,
    OWN_SIGTERM,
    STOPPED_REASON,
    Stopped,
    oom_kills,
    read_json,
    say,
    write_message,
)

LAST_WORD_SECONDS = 2.0
"""Part of the pod's grace period that is left for the last word, when all else is killed."""


class Supervisor:
    """One child process at a time, and SIGTERM passed on to it.

    Without a child, the signal raises `Stopped`; while the output is stored, only once the grace
    period is over. As a container's first process this one gets no default signal handling:
    without the handler, SIGTERM would be ignored. ``told`` is when the signal came first, in
    seconds since 1970; None before. ``storing`` is set while the output is stored.
    """

    def __init__(self, grace_seconds: float) -> None:
        self.told: float | None = None
        self.storing = False
        self._grace_seconds = grace_seconds
        self._child: subprocess.Popen[bytes] | None = None
        leftovers.adopt_orphans()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGALRM, self._time_is_up)

    def run(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        """Run a command and whatever it starts to its end.

        Returns its exit code, negative where a signal ended it. It has a process group of its own,
        so that a program that signals its whole group does not seem to stop the pod. It starts in
        a folder where no script writes, since Python imports from there.
        """
        self._child = subprocess.Popen(
            list(command), env=dict(env), cwd=commands.LIBRARY, start_new_session=True
        )
        try:
            code = self._child.wait()
        finally:
            self._child = None
        leftovers.end()
        return code

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if self.told is None:
            self.told = time.time()
            left = max(1.0, self._grace_seconds - LAST_WORD_SECONDS)
            signal.setitimer(signal.ITIMER_REAL, left)
        if self._child is not None:
            grace.stop(self._child)
        elif not self.storing:
            raise Stopped

    def _time_is_up(self, signum: int, frame: FrameType | None) -> None:
        if self._child is None:
            raise Stopped
        leftovers.send(signal.SIGKILL, leftovers.descendants())


def wait_for_name(host: str, seconds: float) -> None:
    """Wait until a host name resolves; raises LaunchError after the given seconds."""
    deadline = time.monotonic() + seconds
    pause, told = 0.2, False
    while True:
        try:
            socket.getaddrinfo(host, None)
            return
        except OSError as error:
            if time.monotonic() >= deadline:
                raise LaunchError(
                    "RendezvousFailed",
                    f"The first pod's name {host} did not resolve within {seconds:g} s ({error}): "
                    "look whether that pod was scheduled, and whether the cluster's DNS works.",
                ) from error
        if not told:
            say(f"waiting for the first pod, {host}")
            told = True
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def train(
    settings: Settings, supervisor: Supervisor, command: Sequence[str], log_dir: Path
) -> dict[str, Any]:
    """Run the training command and, on index 0, the upload; returns the termination message.

    What was told to stop has not finished, whatever it ends with.
    """
    before = oom_kills()
    env = commands.environment(settings, os.environ)
    with LogTrimmer(log_dir):
        code = supervisor.run(command, env)
    if supervisor.told is not None:
        return stopped_message(supervisor.told)
    if code != 0:
        return (
            stopped_together(settings, log_dir)
            or checkpoint_failure()
            or describe_failure(code, log_dir, oom_kills() > before)
        )
    message: dict[str, Any] = {"reason": "Completed", "exitCode": 0}
    if settings.index == 0:
        supervisor.storing = True
        message["output"] = store_output(settings)
    return message


def store_output(settings: Settings) -> Any:
    """Let the sidecar read the output, and ask it to store that; raises UploadError."""
    folder = os.environ.get("SLIPWAY_OUTPUT_DIR")
    if folder:
        readable.share(Path(folder))
    return request_upload(settings.agent_dir / SOCKET_NAME)


def finish(settings: Settings, message: dict[str, Any]) -> int:
    """Write the termination message, with the progress on index 0; returns the exit code."""
    if settings.index == 0:
        message["progress"] = last_progress(settings.run_dir)
    return last_word(message)


def last_progress(run_dir: Path) -> Any:
    """Return the script's last report, and in it the newest checkpoint; None for none."""
    report = read_json(run_dir / "progress.json")
    folder = os.environ.get("SLIPWAY_RESTORE_DIR")
    if isinstance(report, dict) and folder:
        report["checkpoint"] = read_ledger(Path(folder)).committed
    return report


def last_word(message: Mapping[str, Any]) -> int:
    """Write a termination message, say it in the log too, and return the exit code.

    143 is the code of who was told to stop, and Kubernetes goes by it: a program that ended with it
    by its own doing gives another one.
    """
    write_message(message)
    say(str(message.get("message", "the training is done")))
    code = int(message["exitCode"])
    return OWN_SIGTERM if code == EX_SIGTERM and message["reason"] != STOPPED_REASON else code


def run(settings: Settings, supervisor: Supervisor, command: Sequence[str], log_dir: Path) -> int:
    """Train with a given command, have the last word, and return the exit code."""
    try:
        return finish(settings, train(settings, supervisor, command, log_dir))
    except UploadError as error:
        failed = {"reason": "OutputUploadFailed", "exitCode": 1, "message": str(error)}
        return finish(settings, failed)
    except Stopped:
        message = stopped_message(supervisor.told)
        if supervisor.storing:
            message["message"] = (
                "The pod's time to stop was over before the output was stored: raise "
                "terminationGracePeriodSeconds in spec.podTemplate.spec."
            )
        return finish(settings, message)


def prepare(env: Mapping[str, str], args: Sequence[str]) -> Settings:
    """Make the working folder, check what the run needs, and wait for the first pod's name.

    Raises LaunchError.
    """
    settings = Settings.from_environment(env)
    if settings.source_dir:
        working_folder.make(settings.source_dir, settings.folder)
    commands.check(settings, args)
    check_package(env, settings.source_dir)
    wait_for_name(settings.first_host, settings.rendezvous_seconds)
    return settings


def check_package(env: Mapping[str, str], source: Path | None) -> None:
    """Raise LaunchError where the source has a file of ``SLIPWAY_PACKAGE_CODE`` that is wrong."""
    package = json.loads(env.get("SLIPWAY_PACKAGE_CODE", "{}"))
    if not (package and source):
        return
    try:
        check_source(package, source)
    except PackageError as error:
        raise LaunchError(error.reason, str(error)) from error


def main(argv: Sequence[str]) -> int:
    """Do everything that the trainer container is for; returns its exit code."""
    supervisor = Supervisor(grace_seconds(os.environ))
    args = argv[1:] if argv[:1] == ["--"] else argv
    try:
        settings = prepare(os.environ, args)
    except LaunchError as error:
        return last_word({"reason": error.reason, "exitCode": 1, "message": str(error)})
    except Stopped:
        return last_word(stopped_message(supervisor.told))
    logs = settings.run_dir / "logs"
    logs.mkdir(exist_ok=True)
    log_dir = Path(tempfile.mkdtemp(prefix="run-", dir=logs))
    return run(settings, supervisor, commands.command(settings, log_dir, args), log_dir)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
