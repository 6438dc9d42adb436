"""How a worker of TorchServe says why it ends; runs in each worker, which `deaths` follows.

Nobody but Java learns a worker's exit code, and Java tells nobody. So a worker notes by itself that
it exits, and with which code where the model called ``os._exit``; Python's faulthandler notes a
fatal signal. A worker that leaves no note was killed by SIGKILL, which no process can note.
"""

import atexit
import contextlib
import faulthandler
import os
import re
from pathlib import Path
from typing import NoReturn

_FATAL = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
}
"""What faulthandler calls the signals that it catches (Modules/faulthandler.c)."""
MOST_BYTES = 4096


def note_path(folder: Path, pid: int) -> Path:
    """Return where the worker with a process id leaves its note."""
    return folder / f"worker-{pid}.end"


def install(folder: Path) -> None:
    """Have this process note how it ends, in a file of a folder.

    Raises nothing: a note that cannot be made is no reason not to serve.
    """
    with contextlib.suppress(OSError):
        file = note_path(folder, os.getpid()).open("w", encoding="utf-8")
        faulthandler.enable(file, all_threads=False)
        owner, leave = os.getpid(), os._exit

        def note(text: str) -> None:
            if os.getpid() == owner:
                with contextlib.suppress(OSError, ValueError):
                    os.write(file.fileno(), f"{text}\n".encode())

        def leave_with_note(status: int) -> NoReturn:
            note(f"exit {status}")
            leave(status)

        os._exit = leave_with_note
        atexit.register(note, "exit")


def read(folder: Path, pid: int) -> str:
    """Return how a worker that is gone said that it ends, and take the note away.

    That is the name of a signal, ``exit CODE``, ``exit`` for Python's own end, or empty for none.
    """
    path = note_path(folder, pid)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            line = file.read(MOST_BYTES).partition("\n")[0]
        path.unlink()
    except OSError:
        return ""
    if re.fullmatch("exit( [0-9]+)?", line):
        return line
    return _FATAL.get(line.removeprefix("Fatal Python error: "), "")
