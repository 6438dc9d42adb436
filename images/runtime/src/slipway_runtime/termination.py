"""A container's last word: the termination message, and the tail of a log that goes into it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.shown import scrubbed

MAX_MESSAGE_BYTES = 4096
"""Longest termination message that the kubelet keeps."""
TAIL_LINES = 20
TAIL_BYTES = 32 * 1024
MAX_LINE = 400
EX_SIGTERM = 128 + signal.SIGTERM
"""Exit code of what was told to stop."""
OWN_SIGTERM = 100 + EX_SIGTERM
"""Exit code of a trainer container whose program ended with 143 and was not told to stop."""
STOPPED_REASON = "Stopped"
"""Reason in the last word of a container that was told to stop."""
EX_DATAERR = 65
"""Exit code for a package that cannot be made, after BSD's sysexits.h."""
EX_TEMPFAIL = 75
"""Exit code of a program that could not reach the store, after BSD's sysexits.h."""

CGROUP = Path("/sys/fs/cgroup")
_OOM_KILLS = ("memory.events", "memory/memory.oom_control")
"""Where a container's cgroup counts what the kernel killed in it: of version 2, of version 1."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Stopped(BaseException):
    """SIGTERM or SIGINT came."""


def say(text: str) -> None:
    """Write one line of our own to the container's log; URIs lose what opens them."""
    print(f"slipway: {scrubbed(text)}", file=sys.stderr, flush=True)


def stop_on_signal() -> None:
    """Make SIGTERM and SIGINT raise `Stopped` in the main thread.

    A container's first process gets no default signal handling: without this it would ignore
    SIGTERM until it is killed.
    """

    def stop(signum: int, frame: object) -> None:
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def oom_kills(cgroup: Path = CGROUP) -> int:
    """Return how many processes of this container the kernel has killed for want of memory.

    Formats: https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.events, and
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, memory.oom_control.
    """
    for name in _OOM_KILLS:
        try:
            text = (cgroup / name).read_text(encoding="ascii")
        except (OSError, ValueError):
            continue
        match = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(match.group(1)) if match else 0
    return 0


def signal_name(exit_code: int) -> str | None:
    """Return the name of the signal that a negative exit code stands for, such as SIGKILL."""
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"


def write_message(message: Mapping[str, Any]) -> None:
    """Write the termination message where the kubelet reads it: ``/dev/termination-log``.

    ``SLIPWAY_TERMINATION_LOG`` names another file. A file that cannot be written is no reason to
    fail: the message then goes to the container's log, from which the kubelet takes it.
    """
    path = Path(os.environ.get("SLIPWAY_TERMINATION_LOG", "/dev/termination-log"))
    text = encode_message(message)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(text, file=sys.stderr, flush=True)
        say(f"the termination message was not written: {error}")


def encode_message(message: Mapping[str, Any]) -> str:
    """Return a termination message as JSON of at most 4096 bytes, without the fields that are None.

    Lines are taken off the front of ``logTail`` until it fits; then ``progress`` goes, and at last
    ``message`` is cut short. URIs in these two lose what opens them.
    """
    fields = {key: value for key, value in message.items() if value is not None}
    for key in ("message", "logTail"):
        if key in fields:
            fields[key] = scrubbed(str(fields[key]))
    while _excess(fields) and fields.get("logTail"):
        line, _, rest = str(fields["logTail"]).partition("\n")
        fields["logTail"] = rest or line[len(line) // 2 + 1 :]
    if _excess(fields):
        fields.pop("progress", None)
    while _excess(fields) and fields.get("message"):
        text = str(fields["message"])
        fields["message"] = text[: len(text) * 3 // 4 - 4] + "..." if len(text) > 40 else ""
    return json.dumps(fields)


def _excess(fields: Mapping[str, Any]) -> bool:
    return len(json.dumps(fields)) > MAX_MESSAGE_BYTES


def read_tail(path: Path) -> str:
    """Return the last lines of a log as clean text, at most 20 of 400 characters each.

    Only the file's last 32 KiB are read; bytes that are no UTF-8 are replaced, colour codes and
    control characters dropped. A file that is not there gives an empty text.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            raw = stream.read(TAIL_BYTES)
    except OSError:
        return ""
    return clean_tail(raw.decode("utf-8", "replace"))


def clean_tail(text: str) -> str:
    """Return the last lines of a text as clean text, at most 20 of 400 characters each."""
    lines = _ANSI.sub("", text).replace("\r", "\n").split("\n")
    clean = ["".join(c for c in line if c.isprintable() or c == "\t").rstrip() for line in lines]
    kept = [line[-MAX_LINE:] for line in clean if line]
    return "\n".join(kept[-TAIL_LINES:])


def read_json(path: Path) -> Any:
    """Return a JSON file's value, or None where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def list_files(folder: Path, limit: int = 20) -> str:
    """Return the names of the files under a folder as one text, such as ``a.py, b/c.py``.

    Names that begin with a dot are left out, the kubelet's own in a mounted ConfigMap among them.
    """
    found: list[str] = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        found += [str(Path(root, name).relative_to(folder)) for name in names]
    return join_names(found, limit)


def join_names(names: list[str], limit: int = 20) -> str:
    """Return names joined by commas, at most ``limit`` of them; ``none`` for an empty list."""
    return ", ".join(names[:limit] + ["..."] * (len(names) > limit)) or "none"
