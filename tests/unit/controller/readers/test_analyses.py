"""Whose traffic is read, and whose is not."""

import asyncio
from typing import Any

import pytest

from slipway.api import ModelDeployment
from slipway.controller.readers.analyses import AnalysisReader
from slipway.controller.readers.prometheus import NO_ADDRESS, PrometheusReader
from slipway.controller.readers.rollout_traffic import TrafficReader
from slipway.manifests import head_of
from slipway.plan import Children, Manifest
from slipway.serving.analysis.traffic import Reading, Traffic

ANALYSIS = {
    "metrics": [
        {"name": "mine", "prometheus": {"query": "x"}, "successCondition": "result < 1"},
        {"name": "good", "successRate": {}, "successCondition": "result > 0.9"},
    ]
}
CANARY = {"strategy": "Canary", "canary": {"steps": [{"setWeight": 5}, {"analysis": ANALYSIS}]}}
TIME = "2026-01-01T00:00:00Z"


def deployment(analysis: dict[str, Any] | None, *, step: int = 1) -> ModelDeployment:
    """Return a deployment whose canary is at a step, with an analysis in such a state."""
    candidate = {
        "revision": "new",
        "slot": "green",
        "step": step,
        "startedAt": TIME,
        "stepStartedAt": TIME,
        "analysis": analysis,
    }
    rollout = {"stableRevision": "old", "candidate": candidate}
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "iris", "namespace": "demo", "uid": "u"},
            "spec": {"model": {"trainingJob": {"name": "iris"}}, "rollout": CANARY},
            "status": {"rollout": rollout},
        }
    )


async def read(found: ModelDeployment) -> Traffic | None:
    """Return what is read once the pods, of which there are none, have been asked."""
    told = asyncio.Event()
    head = {"apiVersion": "slipway.dev/v1alpha1", "kind": "ModelDeployment"}
    raw = {**head, "metadata": {"name": "iris", "namespace": "demo", "uid": "u"}, "spec": {}}

    def tell(who: Manifest) -> None:
        assert who == head_of(raw)
        told.set()

    reader = AnalysisReader(TrafficReader(), PrometheusReader(""), tell)
    try:
        if reader.read(found, raw, Children()) is None:
            return None
        async with asyncio.timeout(120):
            await told.wait()
        return reader.read(found, raw, Children())
    finally:
        await reader.close()


@pytest.mark.parametrize("analysis", [None, {"phase": "Failed"}, {"phase": "Successful"}])
async def test_pods_are_left_alone_while_nothing_is_judged(analysis: dict[str, Any] | None) -> None:
    assert await read(deployment(analysis)) is None


@pytest.mark.parametrize("phase", ["Running", "Inconclusive"])
async def test_both_revisions_and_the_users_queries_are_read_while_one_is_judged(
    phase: str,
) -> None:
    traffic = await read(deployment({"phase": phase, "windowStart": TIME}))
    assert traffic is not None
    assert (traffic.candidate, traffic.stable) == ("new", "old")
    assert len(traffic.samples) == 1
    readings = {metric.name: reading for metric, reading in traffic.readings.items()}
    assert readings == {"mine": Reading(error=NO_ADDRESS)}


async def test_queries_of_other_steps_are_not_asked() -> None:
    traffic = await read(deployment({"phase": "Running"}, step=0))
    assert traffic is not None
    assert traffic.readings == {}
