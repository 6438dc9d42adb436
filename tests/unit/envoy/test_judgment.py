"""From requests through real Envoys to a verdict: counters, samples, analysis."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway.api.serving.analysis import Analysis, AnalysisState
from slipway.controller.readers.pod_metrics import read_pod
from slipway.serving.analysis.judgment import evaluate
from slipway.serving.analysis.traffic import Sample, Traffic
from tests.unit.envoy.pod import DEADLINE
from tests.unit.envoy.test_counters import bounded_reader
from tests.unit.envoy.test_split import Slots, ask, two_slots

ANALYSIS = Analysis.model_validate(
    {
        "interval": "7s",
        "minSamples": 40,
        "metrics": [
            {"name": "success", "successRate": {}, "successCondition": "result >= 0.97"},
            {"name": "latency", "latency": {"quantile": "0.5"}, "maxRatioToStable": "1.5"},
            {"name": "score", "model": {"name": "Score"}, "successCondition": "result < 2"},
        ],
    }
)
"""An interval is longer than Envoy takes to add to its histograms, which is 5 s."""


async def sample(slots: Slots) -> Sample:
    pods = {"new": slots.candidate, "old": slots.stable}
    reader = bounded_reader()
    found = {
        name: await read_pod(reader, pod.url(pod.config.ops_port, ""), name, "team", ("Score",))
        for name, pod in pods.items()
    }
    await reader.close()
    return Sample(datetime.now(UTC), {name: one for name, one in found.items() if one})


async def judge(slots: Slots, *, load: bool = True) -> AnalysisState:
    """Return the verdict on the candidate, while half of all requests go to it.

    Without load it is the first one. With it an analysis goes on while too few were answered.
    """
    await slots.split(weight=50)
    state, samples = AnalysisState(), []
    begin = asyncio.get_running_loop().time()
    while state.phase == "Running" or (load and state.phase == "Inconclusive"):
        assert asyncio.get_running_loop().time() - begin < 2 * DEADLINE
        samples.append(await sample(slots))
        state = evaluate(ANALYSIS, state, Traffic("new", "old", tuple(samples)), datetime.now(UTC))
        if load:
            await ask(slots.stable, 40)
        await asyncio.sleep(0.2)
    return state


def page(score: float) -> str:
    return f"# TYPE Score gauge\nScore {score}\n"


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        ({"fail_every": 10}, "success: the share of good answers is "),
        ({"delay": 1.0}, "latency: the 0.5 quantile of the answers' times is "),
        ({"page": page(5)}, "score: the model's Score is 5, and result < 2 does not hold"),
        ({}, ""),
    ],
    ids=["errors", "slow", "wrong", "good"],
)
async def test_a_candidate_is_judged_by_what_it_answers(
    tmp_path: Path, candidate: dict[str, Any], told: str
) -> None:
    async with two_slots(tmp_path) as slots:
        for server in (slots.stable.torchserve, slots.candidate.torchserve):
            server.delay, server.page = 0.2, page(1)
        for name, value in candidate.items():
            setattr(slots.candidate.torchserve, name, value)
        state = await judge(slots)
        assert state.phase == ("Failed" if told else "Successful"), state.message
        assert told in state.message


async def test_a_candidate_that_nobody_asks_is_not_judged(tmp_path: Path) -> None:
    async with two_slots(tmp_path) as slots:
        state = await judge(slots, load=False)
        assert state.phase == "Inconclusive"
        assert "0 of the 40 requests" in state.message
