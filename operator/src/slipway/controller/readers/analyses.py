"""What the analyses of a rollout go by: its pods' counters, and users' own queries."""

from datetime import datetime

from slipway.api import ModelDeployment, parse_time
from slipway.api.analysis import Analysis, AnalysisMetric, AnalysisState
from slipway.api.rollout_status import RolloutStatus
from slipway.controller.readers.prometheus import PrometheusReader
from slipway.controller.readers.rollout_traffic import Question, TrafficReader
from slipway.plan import Children
from slipway.serving.analysis import needs_traffic
from slipway.serving.rollout.steps import Analyse, programme_of
from slipway.serving.traffic import Reading, Traffic

LOOK_SECONDS = 5.0
"""How often the pods are looked at while an analysis goes on."""


class AnalysisReader:
    """Reads the traffic of rollouts that are being judged, and nothing of all others."""

    def __init__(self, traffic: TrafficReader, prometheus: PrometheusReader) -> None:
        self._traffic = traffic
        self._prometheus = prometheus

    async def read(self, deployment: ModelDeployment, children: Children) -> Traffic | None:
        """Return the traffic of the two revisions; None while nothing is judged."""
        rollout = deployment.status.rollout
        going = _going(rollout)
        if rollout is None or rollout.candidate is None or not going:
            self._traffic.forget(deployment.metadata.uid)
            return None
        candidate, stable = rollout.candidate.revision, rollout.stable_revision or ""
        question = Question(deployment.metadata.uid, candidate, stable, _windows(going))
        traffic = await self._traffic.read(question, children.of_kind("Pod"))
        readings = await self._ask(deployment, rollout.candidate.step, candidate, stable)
        return Traffic(candidate, stable, traffic.samples, readings)

    async def _ask(
        self, deployment: ModelDeployment, step: int, candidate: str, stable: str
    ) -> dict[AnalysisMetric, Reading]:
        meta = deployment.metadata
        names = {"namespace": meta.namespace, "deployment": meta.name}
        return {
            metric: await self._prometheus.read(metric, names, candidate, stable)
            for spec in _specs(deployment, step)
            for metric in spec.metrics
            if metric.prometheus is not None
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._traffic.close()
        await self._prometheus.close()


def _going(rollout: RolloutStatus | None) -> list[AnalysisState]:
    candidate = rollout.candidate if rollout else None
    if candidate is None:
        return []
    found = (candidate.analysis, candidate.background)
    return [state for state in found if state is not None and needs_traffic(state)]


def _windows(states: list[AnalysisState]) -> tuple[datetime, ...]:
    starts = (parse_time(state.window_start) for state in states)
    return tuple(start for start in starts if start is not None)


def _specs(deployment: ModelDeployment, step: int) -> list[Analysis]:
    """Return the analyses of a rollout's step and of its background."""
    programme = programme_of(deployment.spec.rollout)
    if programme is None:
        return []
    steps = programme.steps[step : step + 1]
    found = [one.spec for one in steps if isinstance(one, Analyse)]
    return [*found, programme.background] if programme.background else found
