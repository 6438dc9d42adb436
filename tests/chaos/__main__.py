"""``python -m tests.chaos``: have each fault happen, and print a line of the table for it."""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.scene import Outcome, control_plane, scene

HEAD = (
    "| fault | promise | lasted | changes meanwhile | all as it should be | the operator ended "
    "| memory before, after | requests/s before, after |"
)
RULE = "|---|---|---|---|---|---|---|---|"


def line(fault: Fault, found: Outcome) -> str:
    """Return a fault's line of the table."""
    before, after = found.before, found.after
    cells = (
        *(fault.name, fault.promise, f"{found.seconds:.0f} s", str(found.changes)),
        f"{found.settled:.0f} s after it",
        f"{found.restarts} times",
        f"{before.memory:.0f}, {after.memory:.0f} MiB",
        f"{before.requests:.1f}, {after.requests:.1f}",
    )
    return f"| {' | '.join(cells)} |"


async def _play(fault: Fault, seconds: float, folder: Path) -> Outcome:
    with control_plane() as plane:
        async with scene(plane, folder) as played:
            return await played.suffer(fault.happen, seconds)


def _lines(faults: Sequence[Fault], seconds: float, logs: Path) -> None:
    print(HEAD, RULE, sep="\n", flush=True)
    for fault in faults:
        folder = logs / fault.name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        print(line(fault, asyncio.run(_play(fault, seconds, folder))), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Play the faults whose names contain one of the words; all by default."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of the names of faults")
    parser.add_argument("--seconds", type=float, default=60, help="how long each fault lasts")
    parser.add_argument("--log", type=Path, help="folder that keeps the operators' logs")
    arguments = parser.parse_args(argv)
    words = arguments.words or [""]
    faults = [fault for fault in FAULTS if any(word in fault.name for word in words)]
    with tempfile.TemporaryDirectory() as temporary:
        _lines(faults, arguments.seconds, arguments.log or Path(temporary))


if __name__ == "__main__":
    main()
