"""Reports about programs that are trained: how they are started, stopped, and end."""

import io
import tarfile
import time
from typing import Any

from tests.cluster.support import Space, phase
from tests.harness import Object
from tests.harness.waiting import wait_for
from tests.reports.case import (
    NAME,
    Case,
    NotPlayed,
    Sight,
    Stage,
    brief,
    counted,
    ends,
    succeeds,
    training,
)

WAITS = """
import time
deadline = time.monotonic() + 600
while time.monotonic() < deadline:
    time.sleep(0.5)
"""
TIDY = """
import os, pathlib, signal, sys, time
from slipway_runtime import report
def save(*_):
    pathlib.Path(os.environ["SLIPWAY_OUTPUT_DIR"], "partial.txt").write_text("half")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
report(1)
time.sleep(300)
"""
CHECKS_ARGUMENTS = """
import sys
assert sys.argv[1:] == ["--r=16", "--log", "a b", "--"], sys.argv
"""
METRICS = """
from slipway_runtime import report
report(1, {"step": 7, "epoch": 0.5, "total": 3, "samples": 64})
report(2, {f"metric{number}": number for number in range(40)})
"""
SLOW_TO_SAVE = """
import os, signal, sys, time
from slipway_runtime import report
def save(*_):
    end = time.monotonic() + 40
    while time.monotonic() < end:
        time.sleep(0.2)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
report(1)
time.sleep(600)
"""
KILLS_ONE = """
import os, signal, time
if os.environ["RANK"] == "1" and os.environ["SLIPWAY_ATTEMPT"] == "0":
    os.kill(os.getpid(), signal.SIGTERM)
"""
HERE = """
import os, pathlib
assert pathlib.Path("train.py").exists(), os.listdir()
pathlib.Path("scratch.txt").write_text("can be written")
assert os.getcwd() == os.environ["SLIPWAY_WORK_DIR"]
"""


def trainers(space: Space) -> list[Object]:
    """Return the training pods of the case."""
    return space.pods(f"slipway.dev/training-job={NAME},slipway.dev/component=trainer")


def running(space: Space) -> bool:
    """Tell whether the case's job runs."""
    return phase(space.job(NAME)) == "Running"


def reports(space: Space) -> bool:
    """Tell whether the script of the case's job has begun: it reports once it takes signals."""
    return running(space) and bool(space.job(NAME)["status"].get("progress"))


def evict_all(stage: Stage) -> None:
    """Evict each pod of a group whose script has begun."""
    space = stage.space
    wait_for(lambda: reports(space), 120, "the script has begun", space.report)
    for pod in trainers(space):
        name = pod["metadata"]["name"]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        space.kubectl.post("pods", f"{name}/eviction", body)
    gone = {pod["metadata"]["uid"] for pod in trainers(space)}

    def replaced() -> bool:
        return not gone & {pod["metadata"]["uid"] for pod in trainers(space)}

    wait_for(replaced, 120, "the evicted pods are gone", space.report)


def goes_on(space: Space) -> Sight:
    """Look whether a job whose pods were taken away runs again, and stored nothing."""
    job = space.job(NAME)
    stored = job["status"].get("output")
    return Sight(brief(job), running(space) and not stored, bool(stored))


def stops_after(least: float, most: float) -> tuple[Any, Any]:
    """Return what suspends a job whose script has begun, and looks how long its pod took."""
    taken: list[float] = []

    def suspend(stage: Stage) -> None:
        space = stage.space
        wait_for(lambda: reports(space), 120, "the script has begun", space.report)
        began = time.monotonic()
        space.kubectl.patch("trainingjob", NAME, {"spec": {"suspend": True}})
        wait_for(lambda: not trainers(space), 150, "the pod is gone", space.report)
        taken.append(time.monotonic() - began)

    def look(space: Space) -> Sight:
        text = f"the pod was gone after {taken[0]:.0f} s; {brief(space.job(NAME))}"
        return Sight(text, least <= taken[0] <= most, over=True)

    return suspend, look


def stored_archive(stage: Stage) -> None:
    """Store an archive with an executable script, where all may read it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        text = b"#!/bin/sh\necho it ran\n"
        member = tarfile.TarInfo("run.sh")
        member.size, member.mode = len(text), 0o755
        archive.addfile(member, io.BytesIO(text))
    with stage.cluster.store() as store:
        store.pipe_file("slipway/shared/tests/reports/run.tgz", buffer.getvalue())


STOP, STOPPED = stops_after(38.0, 85.0)

CASES: tuple[Case | NotPlayed, ...] = (
    Case(
        "training F1 sys.exit(143)",
        "fails once, as the script's own failure, with 143 and the script's last line",
        training({"train.py": "import sys\nprint('the end', file=sys.stderr)\nsys.exit(143)"}),
        ends("Failed", "ScriptFailed", "143", "the end", holds=counted(0, 0)),
    ),
    Case(
        "training F1 SIGTERM to itself under torchrun",
        "fails once, as the script's own failure",
        training(
            {"train.py": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)"},
            framework="torchrun",
        ),
        ends("Failed", "ScriptFailed", "SIGTERM", holds=counted(0, 0)),
    ),
    Case(
        "training F1 one rank of two killed",
        "starts again, and that counts",
        training(
            {"train.py": KILLS_ONE}, framework="torchrun", nodes=2, restart={"maxRestarts": 1}
        ),
        succeeds(counted(1, 1)),
        seconds=300,
    ),
    Case(
        "training F2 a drained script that ends with 0",
        "goes on in new pods; its half output is not stored",
        training({"train.py": TIDY}, nodes=2, restart={"policy": "Pod"}),
        goes_on,
        act=evict_all,
    ),
    Case(
        "training F3 arguments that torchrun has too",
        "the script gets them all",
        training(
            {"train.py": CHECKS_ARGUMENTS},
            framework="torchrun",
            args=["--r=16", "--log", "a b", "--"],
        ),
        succeeds(),
    ),
    Case(
        "training F6 metrics named step, epoch, total, and forty of them",
        "the training goes on",
        training({"train.py": METRICS}),
        succeeds(),
    ),
    Case(
        "training F7 ./run.sh of a ConfigMap",
        "is told to be there, and not executable",
        training({"run.sh": "#!/bin/sh\ntrue\n"}, entrypoint=None, command=["./run.sh"]),
        ends("Failed", "CommandNotExecutable", "run.sh"),
    ),
    Case(
        "training F7 ./run.sh of an archive",
        "runs in the source's folder",
        training(
            source={"archive": {"uri": "s3://slipway/shared/tests/reports/run.tgz"}},
            entrypoint=None,
            command=["./run.sh"],
        ),
        succeeds(),
        before=stored_archive,
    ),
    Case(
        "training F7 a command that is nowhere",
        "is told to be not on the PATH",
        training({"run.sh": ""}, entrypoint=None, command=["trainit"]),
        ends("Failed", "CommandNotFound", "trainit", "PATH"),
    ),
    Case(
        "training F10 40 s to save within a grace period of 90 s",
        "the script gets them: the pod ends after 40 s, not after 30",
        training(
            {"train.py": SLOW_TO_SAVE},
            framework="torchrun",
            podTemplate={"spec": {"terminationGracePeriodSeconds": 90}},
        ),
        STOPPED,
        act=STOP,
        seconds=10,
    ),
    Case(
        "training P6 one working folder",
        "an entrypoint runs in $SLIPWAY_WORK_DIR, with the source's files, and can write there",
        training({"train.py": HERE}, framework="torchrun"),
        succeeds(),
    ),
)
