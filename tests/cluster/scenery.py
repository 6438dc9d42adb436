"""What has to happen in a cluster for every panel to have something to show."""

import time
from collections.abc import Callable
from typing import Any

from tests.cluster.conftest import Quickstart
from tests.cluster.load import steady_load
from tests.cluster.rollouts import candidate, request, rollout
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

from slipway_runtime import checkpoint, report
from slipway_runtime.reporting import gpu

# The local cluster's GPUs are only counted: torch sees none.
gpu.usage = lambda: {"memoryUsedBytes": 3e9, "memoryTotalBytes": 8e10, "utilization": 0.7}
for step in range(1, 41):
    time.sleep(0.5)
    report(step, 40, epoch=step // 10, samples=64, loss=1 / step, accuracy=1 - 1 / (step + 1))
    checkpoint.save(step, {"step": step})
"""
FAILS = "raise SystemExit('the data are gone')"
ASKED = (
    'sum(rate(envoy_cluster_upstream_rq_completed{namespace="{{namespace}}",'
    'deployment="{{deployment}}",revision="{{revision}}",envoy_cluster_name="torchserve"}[20s]))'
)
"""Requests a second that a revision answers, as Prometheus saw it."""


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


def roll_out(space: Space, quickstart: Quickstart, body: Any) -> Object:
    """Serve the quickstart's model under load, and try two canaries: one is promoted, one not.

    Returns the analysis of the first one, which goes by its answers and by a Prometheus query.
    """
    space.apply(_served(quickstart, "one", body))
    space.wait_until_ready("canary")
    with steady_load(f"{address(space, 'canary')}/predict", body, rate=15):
        time.sleep(15)  # traffic of the first revision alone, for the panels to show
        space.apply(_served(quickstart, "two", body))
        found = space.wait("modeldeployment", "canary", _is_judged_well, 240)
        revision, step = candidate(found)["revision"], candidate(found)["step"]
        request(space, "canary", "promote", f"{revision}/{step}")
        space.wait("modeldeployment", "canary", _rolled_out("Promoted", 2), 240)
        space.apply(_served(quickstart, "three", body))
        tried = space.wait("modeldeployment", "canary", candidate, 240)
        request(space, "canary", "abort", candidate(tried)["revision"])
        space.wait("modeldeployment", "canary", _rolled_out("RolledBack", 1), 240)
    judgment: Object = candidate(found)["background"]
    return judgment


def _served(quickstart: Quickstart, word: str, body: Any) -> Object:
    """Return the canary's manifest; another word makes another revision."""
    success = {"name": "success", "successRate": {}, "successCondition": "result >= 0.95"}
    asked = {"name": "asked", "prometheus": {"query": ASKED}, "successCondition": "result > 1"}
    analysis = {"metrics": [success, asked], "interval": "12s", "count": 2, "minSamples": 10}
    steps = [{"setWeight": 50}, {"pause": {}}]
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


def _is_judged_well(deployment: Object) -> bool:
    """Return whether the candidate waits with all measurements behind it."""
    now = candidate(deployment)
    judged = (now.get("background") or {}).get("phase") == "Successful"
    return judged and str(now.get("current", "")).startswith("pause")


def _rolled_out(outcome: str, times: int) -> Callable[[Object], bool]:
    """Return whether so many rollouts have ended so; the first revision's own is one of them."""

    def holds(deployment: Object) -> bool:
        history = rollout(deployment).get("history") or []
        return [entry["outcome"] for entry in history].count(outcome) >= times

    return holds
