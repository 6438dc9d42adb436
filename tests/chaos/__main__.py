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


async def _play(fault: Fault, seconds: float) -> Outcome:
    with control_plane() as plane, tempfile.TemporaryDirectory() as folder:
        async with scene(plane, Path(folder)) as played:
            return await played.suffer(fault.happen, seconds)


def main(argv: Sequence[str] | None = None) -> None:
    """Play the faults whose names contain one of the words; all by default."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of the names of faults")
    parser.add_argument("--seconds", type=float, default=60, help="how long each fault lasts")
    arguments = parser.parse_args(argv)
    print(HEAD, RULE, sep="\n", flush=True)
    for fault in FAULTS:
        if not arguments.words or any(word in fault.name for word in arguments.words):
            found = asyncio.run(_play(fault, arguments.seconds))
            print(line(fault, found), flush=True)


if __name__ == "__main__":
    main()
