"""A command in a process of its own, whose output is kept and whose failure is left word of.

``python3 -m slipway_runtime.launcher.plain LOG_DIR INDEX FOLDER COMMAND...`` is ``COMMAND...`` in
FOLDER, except that what it writes goes to a file too, where the launcher looks for a rank's log,
and that its failure is left in ``LOG_DIR/failure.json``, in the form of
`slipway_runtime.launcher.torchrun`, or as ``{"notStarted": "why"}``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHUNK = 65536
_LONGEST_FIRST_LINE = 256
"""How much of a file's first line the kernel reads, in bytes (BINPRM_BUF_SIZE)."""
LAST_WORDS_SECONDS = 2.0
"""How long the output of processes that outlive the command is waited for."""


def run(log_dir: Path, index: int, folder: Path, command: Sequence[str]) -> int:
    """Run a command to its end; returns its exit code, 1 for one that a signal ended."""
    os.chdir(folder)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _: told.append(signum))
    try:
        child = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        why = f"{command[0]!r} cannot be started: {obstacle(command[0], error)}."
        write(log_dir, {"notStarted": why})
        return 1
    signal.signal(signal.SIGTERM, lambda signum, _: child.send_signal(signum))
    for signum in told:
        child.send_signal(signum)
    log = log_dir / "plain" / "attempt_0" / "0" / "stderr.log"
    log.parent.mkdir(parents=True)
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    copying = threading.Thread(target=copy, args=(child.stdout.fileno(), log), daemon=True)
    copying.start()
    code = child.wait()
    copying.join(LAST_WORDS_SECONDS)
    if code != 0:
        write(log_dir, describe(command, index, code))
    return code if code >= 0 else 1


def obstacle(name: str, error: OSError) -> str:
    """Return why the kernel does not start a program that is there, as the end of a sentence.

    For a script it tells the same of an interpreter that is missing as of a file that is.
    """
    try:
        with Path(shutil.which(name) or name).open("rb") as file:
            first = file.readline(_LONGEST_FIRST_LINE)
    except OSError:
        return str(error.strerror)
    if first.startswith(b"#!") and first.rstrip(b"\n").endswith(b"\r"):
        return "its first line ends with a carriage return: save it with the line ends of Unix"
    if first.startswith(b"#!"):
        interpreter = (first[2:].decode("utf-8", "replace").split() or [""])[0]
        return f"{error.strerror}: its first line names the interpreter {interpreter!r}"
    if first.startswith(b"\x7fELF"):
        return f"{error.strerror}: it is built for another processor, or another Linux"
    return f"{error.strerror}: it begins with no '#!' and an interpreter"


def write(log_dir: Path, failure: dict[str, Any]) -> None:
    """Leave word of a failure where the launcher looks for it."""
    (log_dir / "failure.json").write_text(json.dumps(failure), encoding="utf-8")


def copy(pipe: int, log: Path) -> None:
    """Copy what comes out of a pipe to a file and to this process' own output."""
    with log.open("wb") as kept:
        while chunk := os.read(pipe, CHUNK):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            kept.write(chunk)
            kept.flush()


def describe(command: Sequence[str], index: int, code: int) -> dict[str, Any]:
    """Return the record of a command's failure; a negative code is the signal that ended it."""
    what = f"The command {command[0]!r} of pod {index}"
    return {
        "rank": index,
        "localRank": 0,
        "exitCode": code,
        "time": int(time.time()),
        "what": what,
    }


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
