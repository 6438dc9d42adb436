"""What the analyses of a rollout go by: its pods' counters, and users' own queries."""

from collections.abc import Callable
from datetime import datetime

from slipway.api import ModelDeployment, parse_time
from slipway.api.serving.analysis import Analysis, AnalysisMetric, AnalysisState
from slipway.api.serving.rollout import Rollout
from slipway.api.serving.rollout_status import RolloutStatus
from slipway.controller.readers.asking.questions import Tell
from slipway.controller.readers.prometheus import PrometheusReader
from slipway.controller.readers.rollout_traffic import Question, TrafficReader
from slipway.manifests import head_of
from slipway.plan import Children, Manifest
from slipway.serving.analysis.judgment import needs_traffic
from slipway.serving.analysis.traffic import Reading, Traffic
from slipway.serving.rollout.steps import Analyse, analyses_of, programme_of


class AnalysisReader:
    """Reads the traffic of rollouts that are being judged, and nothing of all others.

    It never waits; ``tell`` is called with a deployment once there is news for it.
    """

    def __init__(
        self,
        traffic: TrafficReader,
        prometheus: PrometheusReader,
        tell: Callable[[Manifest], None] = lambda _: None,
    ) -> None:
        self._traffic = traffic
        self._prometheus = prometheus
        self._tell = tell

    def read(
        self, deployment: ModelDeployment, raw: Manifest, children: Children
    ) -> Traffic | None:
        """Return the newest traffic of the two revisions; None while nothing is judged."""
        rollout = deployment.status.rollout
        going = _going(rollout)
        if rollout is None or rollout.candidate is None or not going:
            self._traffic.forget(deployment.metadata.uid)
            return None

        head = head_of(raw)

        def tell() -> None:
            self._tell(head)

        meta, candidate = deployment.metadata, rollout.candidate
        specs = _specs(deployment, candidate.step)
        revisions = candidate.revision, rollout.stable_revision or ""
        windows, measures = _windows(going), _measures(deployment.spec.rollout)
        question = Question(meta.uid, meta.namespace, *revisions, windows, measures)
        traffic = self._traffic.read(question, children.of_kind("Pod"), tell)
        readings = self._readings(deployment, specs, revisions, tell)
        return Traffic(*revisions, traffic.samples, readings)

    def _readings(
        self,
        deployment: ModelDeployment,
        specs: list[Analysis],
        revisions: tuple[str, str],
        tell: Tell,
    ) -> dict[AnalysisMetric, Reading]:
        meta = deployment.metadata
        names = {"namespace": meta.namespace, "deployment": meta.name}
        asked = [m for spec in specs for m in spec.metrics if m.prometheus is not None]
        found = {m: self._prometheus.read(m, names, revisions, tell) for m in asked}
        return {metric: reading for metric, reading in found.items() if reading is not None}

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


def _measures(rollout: Rollout) -> frozenset[str]:
    """Return the names of the model's own measures that any analysis of a rollout goes by.

    They are the same at all its steps: what a counter was before a window begins must be known.
    """
    metrics = (metric for spec in analyses_of(rollout) for metric in spec.metrics)
    return frozenset(metric.model.name for metric in metrics if metric.model is not None)


def _specs(deployment: ModelDeployment, step: int) -> list[Analysis]:
    """Return the analyses of a rollout's step and of its background."""
    programme = programme_of(deployment.spec.rollout)
    if programme is None:
        return []
    steps = programme.steps[step : step + 1]
    found = [one.spec for one in steps if isinstance(one, Analyse)]
    return [*found, programme.background] if programme.background else found
