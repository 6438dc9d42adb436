"""The training examples as they are: begun, looked at, disturbed, and what they end with."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.cluster.support import ROOT, TRAIN, Space, condition, phase, processes_of
from tests.harness import Object
from tests.harness.cluster import Cluster
from tests.harness.waiting import wait_for

EXAMPLES = ROOT / "examples"


SLOWLY = ('{name: SECONDS_PER_STEP, value: "0.5"}', '{name: SECONDS_PER_STEP, value: "1"}')
"""An example's pace, and that of one that is to be disturbed while it trains."""


def begin(space: Space, *names: str) -> None:
    """Apply examples as they are."""
    for name in names:
        space.kubectl.run("apply", "-f", str(EXAMPLES / name))


def begin_slowly(space: Space, name: str) -> None:
    """Apply an example that a busy machine does not end before it is disturbed."""
    for path in sorted((EXAMPLES / name).glob("*.yaml")):
        text = path.read_text()
        assert SLOWLY[0] in text
        space.kubectl.run("apply", "-f", "-", stdin=text.replace(*SLOWLY))


def result(cluster: Cluster, job: Object) -> dict[str, Any]:
    """Return what an example has written as its result."""
    uri = job["status"]["output"]["uri"]
    with cluster.store() as store:
        found: dict[str, Any] = json.loads(store.cat_file(f"{uri}/result.json"))
    return found


def finished(space: Space, name: str) -> Object:
    job = space.wait_for_phase(name, "Succeeded", "Failed", timeout=2 * TRAIN)
    assert phase(job) == "Succeeded", condition(job, "Failed")
    return job


def progress(job: Object) -> dict[str, Any]:
    found: dict[str, Any] = job.get("status", {}).get("progress", {})
    return found


def has_checkpoint(job: Object) -> bool:
    return bool(progress(job).get("checkpoint", {}).get("step", 0) >= 10)


def kill_script(space: Space, name: str, index: int) -> None:
    """Kill the process that runs the script itself in the pod of an index."""

    def killed() -> bool:
        pod = _pod_of(space, name, index)
        process = _script_of(pod) if pod else None
        if process is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            return True
        return False

    wait_for(killed, 120, f"pod {index} of {name} runs train.py", space.report)


def _pod_of(space: Space, name: str, index: int) -> Object | None:
    label = "batch.kubernetes.io/job-completion-index"
    pods = space.pods(f"slipway.dev/training-job={name},{label}={index}")
    return next((pod for pod in pods if not pod["metadata"].get("deletionTimestamp")), None)


def _script_of(pod: Object) -> int | None:
    for process in processes_of(pod):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"train.py") for word in words[1:3]):
                return process
    return None
