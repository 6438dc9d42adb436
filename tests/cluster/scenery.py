"""What has to happen in a cluster for every panel to have something to show."""

import time
from collections.abc import Callable
from typing import Any

from tests.cluster.conftest import Quickstart
from tests.cluster.load import steady_load
from tests.cluster.support import (
    Space,
    address,
    model_deployment,
    source,
    training_job,
)
from tests.harness import Object

TRAINED = """
import time

from slipway_runtime import checkpoint, gpu, report

# The local cluster's GPUs are only counted: torch sees none.
gpu.usage = lambda: {"memoryUsedBytes": 3e9, "memoryTotalBytes": 8e10, "utilization": 0.7}
for step in range(1, 41):
    time.sleep(0.5)
    report(step, 40, epoch=step // 10, samples=64, loss=1 / step, accuracy=1 - 1 / (step + 1))
    checkpoint.save(step, {"step": step})
"""
FAILS = "raise SystemExit('the data are gone')"


def train(space: Space) -> None:
    """Start a job that reports and saves all that one can, and one that fails with a GPU."""
    limits = {"limits": {"nvidia.com/gpu": 1, "memory": "1Gi"}, "requests": {"cpu": "50m"}}
    space.apply(
        source("trained", main=TRAINED),
        source("fails", main=FAILS),
        training_job("trained", "trained", checkpoint={"intervalSteps": 5}),
        training_job("fails", "fails", resources=limits),
    )


def stall(space: Space) -> None:
    """Ask for a deployment whose Service is somebody else's: it can never be carried out."""
    ports = [{"port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}}
    uri = {"uri": "https://models.example.com/a.mar", "sha256": "0" * 64}
    space.apply({**service, "spec": {"ports": ports}}, model_deployment("taken", uri))


def roll_out(space: Space, quickstart: Quickstart, body: Any) -> None:
    """Serve the quickstart's model under load, and try two canaries: one is promoted, one not."""
    space.apply(_served(quickstart, "one", body))
    space.wait_until_ready("canary")
    with steady_load(f"{address(space, 'canary')}/predict", body, rate=15):
        time.sleep(15)  # traffic of the first revision alone, for the panels to show
        space.apply(_served(quickstart, "two", body))
        space.wait("modeldeployment", "canary", _rolled_out("Promoted", 2), 240)
        space.apply(_served(quickstart, "three", body))
        tried = space.wait("modeldeployment", "canary", _candidate, 60)
        revision = _candidate(tried)["revision"]
        space.kubectl.run(
            "annotate", "modeldeployment", "canary", f"slipway.dev/rollout-abort={revision}"
        )
        space.wait("modeldeployment", "canary", _rolled_out("RolledBack", 1), 60)


def _served(quickstart: Quickstart, word: str, body: Any) -> Object:
    """Return the canary's manifest; another word makes another revision."""
    success = {"name": "success", "successRate": {}, "successCondition": "result >= 0.95"}
    analysis = {"metrics": [success], "interval": "10s", "minSamples": 10}
    steps = [{"setWeight": 50}, {"pause": {"duration": "30s"}}]
    found = model_deployment(
        "canary",
        quickstart.model,
        rollout={
            "strategy": "Canary",
            "canary": {"steps": steps, "analysis": analysis},
            "smoke": {"request": body},
            "scaleDownDelaySeconds": 0,
        },
    )
    found["spec"]["server"]["env"] = [{"name": "WORD", "value": word}]
    return found


def _rollout(deployment: Object) -> Object:
    found: Object = deployment.get("status", {}).get("rollout") or {}
    return found


def _candidate(deployment: Object) -> Object:
    found: Object = _rollout(deployment).get("candidate") or {}
    return found


def _rolled_out(outcome: str, times: int) -> Callable[[Object], bool]:
    """Return whether so many rollouts have ended so; the first revision's own is one of them."""

    def holds(deployment: Object) -> bool:
        history = _rollout(deployment).get("history") or []
        return [entry["outcome"] for entry in history].count(outcome) >= times

    return holds
