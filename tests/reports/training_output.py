"""Reports about what a training leaves behind: files, names, processes."""

import contextlib
import time

from slipway.manifests import TRAINING_JOB
from tests.harness import KubectlError, Object
from tests.reports.case import (
    HANDLER,
    NAME,
    WRITES,
    Case,
    NotPlayed,
    Stage,
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


MANY_FILES = """
import os, pathlib
output = pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"])
for number in range(2000):
    (output / f"{number}.bin").write_bytes(os.urandom(20_000))
"""
"""An output that is under way for some time, as each file is a request of its own."""


def delete_while_it_stores(stage: Stage) -> None:
    """Delete the job's pod once its sidecar has stored the first file."""
    kubectl = stage.space.kubectl
    deadline, log = time.monotonic() + 120, ""
    while True:
        names = [pod["metadata"]["name"] for pod in stage.space.pods(f"{TRAINING_JOB}={NAME}")]
        with contextlib.suppress(KubectlError):  # its containers start one after the other
            log = kubectl.run("logs", names[0], "--container=trainer") if names else ""
        if "of 2000 files" in log:
            kubectl.run("delete", "pod", names[0], "--wait=false")
            return
        assert time.monotonic() < deadline, log
        time.sleep(0.2)


def stored_at_once(job: Object) -> bool:
    """Tell whether all is stored, by the pod that was deleted."""
    return output_files(2000)(job) and not job["status"].get("attempt")


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
    Case(
        "training P5 an upload within the grace period",
        "a pod that is deleted while it stores the output has the time for it, and is the end",
        training(
            {"train.py": MANY_FILES},
            podTemplate={"spec": {"terminationGracePeriodSeconds": 180}},
        ),
        ends("Succeeded", "Completed", holds=stored_at_once),
        act=delete_while_it_stores,
    ),
)
