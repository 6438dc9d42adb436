"""torchrun in a process of its own, which leaves word of the first failure.

``python3 -m slipway_runtime.launcher.torchrun FAILURE_FILE FOLDER SECONDS TORCHRUN_ARGS`` is
``python3 -m torch.distributed.run TORCHRUN_ARGS`` in FOLDER, except that the ranks have SECONDS to
end after SIGTERM, and that what torchrun knows of the first failure among this pod's ranks is left
in FAILURE_FILE as JSON, so that nobody has to parse its log: ``{"rank", "localRank", "exitCode",
"time"}``, ``{"rendezvous": "why"}``, or ``{"launcher": "torchrun's own last lines", "exitCode"}``.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipway_runtime.termination import TAIL_BYTES, clean_tail, say

SHUTDOWN_OPTION = "--shutdown-timeout"
"""torchrun's option for the time between SIGTERM and SIGKILL, in seconds; older ones lack it."""


class Tee:
    """A text stream that passes on what is written, and remembers the end of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.tail = ""

    def write(self, text: str) -> int:
        """Write a text, and return its length."""
        self.tail = (self.tail + text)[-TAIL_BYTES:]
        self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def run(failure_file: Path, folder: Path, seconds: int, args: Sequence[str]) -> int:
    """Run torchrun here, and return its exit code.

    ``seconds`` is how long the ranks have to end after SIGTERM.
    """
    tee = sys.stderr = Tee(sys.stderr)
    os.chdir(folder)
    failure: dict[str, Any]
    try:
        return _torchrun(seconds, args, failure_file)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
        failure = {"launcher": clean_tail(tee.tail), "exitCode": code}
    except Exception as error:
        kind = f"{type(error).__module__}.{type(error).__name__}"
        if "rendezvous" in kind.lower():
            failure = {"rendezvous": f"{type(error).__name__} {error}".strip()}
        else:
            traceback.print_exc()
            failure = {"launcher": clean_tail(tee.tail), "exitCode": 1}
    failure_file.write_text(json.dumps(failure), encoding="utf-8")
    return int(failure.get("exitCode", 1))


def _torchrun(seconds: int, args: Sequence[str], failure_file: Path) -> int:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    try:
        torchrun([*shutdown_options(seconds), *args])
    except ChildFailedError as error:
        say(str(error))
        failure_file.write_text(json.dumps(describe_failure(error)), encoding="utf-8")
        return 1
    return 0


def shutdown_options(seconds: int) -> list[str]:
    """Return torchrun's option for the ranks' time to end after SIGTERM.

    A torchrun that lacks it gives them 30 s, the default of the method that ends them: there that
    default is replaced.
    Source: torch/distributed/elastic/multiprocessing/api.py, PContext.close
    """
    from torch.distributed.run import get_args_parser

    if SHUTDOWN_OPTION in get_args_parser().format_help():
        return [f"{SHUTDOWN_OPTION}={seconds}"]
    from torch.distributed.elastic.multiprocessing.api import PContext

    PContext.close = _patient(PContext.close, seconds)
    return []


def _patient(close: Any, seconds: int) -> Any:
    @functools.wraps(close)
    def patient(self: Any, death_sig: Any = None, timeout: int = seconds) -> None:
        close(self, death_sig, max(timeout, seconds))

    return patient


def describe_failure(error: Any) -> dict[str, Any]:
    """Return what a ChildFailedError says of the first of this pod's ranks that failed."""
    rank, failure = error.get_first_failure()
    return {
        "rank": rank,
        "localRank": failure.local_rank,
        "exitCode": failure.exitcode,
        "time": failure.timestamp,
    }


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
