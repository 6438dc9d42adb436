"""Containers that go on when the script has ended, and so keep their pod from ending."""

from collections.abc import Iterator
from datetime import datetime

from slipway.api import parse_time
from slipway.training import reasons
from slipway.training.observed.jobs import JobView
from slipway.training.observed.pods import JobPod
from slipway.training.outcome import Finding

PATIENCE_SECONDS = 60.0
"""Containers beside the script's have so long to end after it."""


def outlasting(live: JobView, now: datetime) -> Finding | None:
    """Return the condition Running while a pod waits for another container than the script's."""
    containers = (
        f"{container} of pod {pod.name}" for pod in live.pods for container in _going_on(pod, now)
    )
    first = next(containers, None)
    if first is None:
        return None
    message = (
        f"The script has ended well, but the container {first} runs on, so that the pod does not "
        "end: let it end with the script, or write it as a sidecar, which is one of "
        "podTemplate's initContainers with restartPolicy: Always."
    )
    return Finding(reasons.RUNNING, True, reasons.CONTAINER_RUNS_ON, message)


def _going_on(pod: JobPod, now: datetime) -> Iterator[str]:
    """Yield the containers that run long after the script; sidecars end by themselves."""
    end = parse_time(pod.main.terminated.get("finishedAt"))
    if end is None or pod.main.exit_code or pod.deleting:
        return
    if (now - end).total_seconds() < PATIENCE_SECONDS:
        return
    for status in pod.status.get("containerStatuses") or ():
        if "running" in (status.get("state") or {}):
            yield status["name"]
