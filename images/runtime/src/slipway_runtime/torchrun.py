"""torchrun in a process of its own, which leaves word of the first failure.

``python3 -m slipway_runtime.torchrun FAILURE_FILE TORCHRUN_ARGS`` is ``python3 -m
torch.distributed.run TORCHRUN_ARGS``, except that what torchrun knows of the first failure among
this pod's ranks is left in FAILURE_FILE as JSON, so that nobody has to parse its log:
``{"rank", "localRank", "exitCode", "time"}``, or ``{"rendezvous": "why"}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipway_runtime.termination import say


def run(failure_file: Path, args: Sequence[str]) -> int:
    """Run torchrun here and return its exit code; other errors than a failed rank are raised."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    try:
        torchrun(list(args))
    except ChildFailedError as error:
        say(str(error))
        failure = describe_failure(error)
    except Exception as error:
        kind = f"{type(error).__module__}.{type(error).__name__}"
        if "rendezvous" not in kind.lower():
            raise
        failure = {"rendezvous": f"{type(error).__name__} {error}".strip()}
    else:
        return 0
    failure_file.write_text(json.dumps(failure), encoding="utf-8")
    return 1


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
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
