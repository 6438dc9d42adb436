"""The training examples as they are: begun, looked at, disturbed, and what they end with."""

import json
from pathlib import Path
from typing import Any

from tests.cluster.support import ROOT, TRAIN, Space, condition, phase, processes_of
from tests.harness import Object
from tests.harness.cluster import Cluster

EXAMPLES = ROOT / "examples"


def begin(space: Space, *names: str) -> None:
    """Apply examples as they are."""
    for name in names:
        space.kubectl.run("apply", "-f", str(EXAMPLES / name))


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


def pod_of(space: Space, name: str, index: int) -> Object:
    """Return the pod of an index that runs."""
    label = "batch.kubernetes.io/job-completion-index"
    pods = space.pods(f"slipway.dev/training-job={name},{label}={index}")
    return next(pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))


def script_of(pod: Object) -> int:
    """Return the process of a pod that runs the script itself."""
    for process in processes_of(pod):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        if any(word.endswith(b"train.py") for word in words[1:3]):
            return process
    raise LookupError(f"{pod['metadata']['name']} runs no train.py")
