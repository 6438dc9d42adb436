"""Reports about what a training leaves behind: files, names, processes."""

from tests.reports.case import (
    HANDLER,
    WRITES,
    Case,
    NotPlayed,
    ends,
    output_files,
    succeeds,
    training,
)

LEAVES_A_WRITER = """
import subprocess
subprocess.Popen(
    ["sh", "-c", 'while true; do date >> "$SLIPWAY_OUTPUT_DIR/events.log"; sleep 0.02; done'],
    start_new_session=True,
)
"""
ODD_FOLDERS = """
import os, pathlib
output = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
for folder in ("assets", "ckpt"):
    (output / folder).mkdir()
    (output / folder / ".metadata").write_text("x")
(output / "epoch=9-step=500.ckpt").write_text("weights")
(output / "my model.pt").write_text("weights")
"""


def writes_and(more: str) -> str:
    """Return a script that writes ``model.pt``, and does more then."""
    return f"{WRITES}{more}"


CASES: tuple[Case | NotPlayed, ...] = (
    Case(
        "training F5 a process that is left behind",
        "is ended first; both files are stored",
        training({"train.py": writes_and(LEAVES_A_WRITER)}),
        succeeds(output_files(2)),
    ),
    Case(
        "training F9 a folder that its writer has closed",
        "is stored with the file in it, or named: never left out in silence",
        training(
            {
                "train.py": writes_and(
                    "(output / 'closed').mkdir()\n(output / 'closed' / 'a').write_text('a')\n"
                    "os.chmod(output / 'closed', 0)\n"
                )
            }
        ),
        succeeds(output_files(2)),
    ),
    Case(
        "training F9 a link that leads out of the output",
        "is left out, and the message names it",
        training({"train.py": writes_and("(output / 'out').symlink_to('/etc/hostname')\n")}),
        ends("Succeeded", "Completed", "Left out: 1, such as out", holds=output_files(1)),
    ),
    Case(
        "training F11 epoch=9-step=500.ckpt",
        "is packed under its own name, with folders and names with blanks beside it",
        training(
            {"train.py": ODD_FOLDERS, "handler.py": HANDLER},
            package={
                "serializedFile": "epoch=9-step=500.ckpt",
                "handler": "handler.py",
                "extraFiles": ["my model.pt", "assets/", "ckpt/.metadata"],
            },
        ),
        succeeds(output_files(4)),
    ),
    NotPlayed(
        "training P5 an upload within the grace period",
        "needs a store that is slow at the right moment: "
        "tests/unit/runtime/launcher/test_launch.py",
    ),
)
