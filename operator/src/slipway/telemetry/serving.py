"""What happens to ModelDeployments and their pods, counted when it is seen or written."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from slipway.manifests import COMPONENT, MODEL_DEPLOYMENT
from slipway.plan import Manifest
from slipway.telemetry import reading
from slipway.telemetry.catalogue import LONG, Catalogue
from slipway.telemetry.reading import Status, elapsed

_MOST_PODS = 4096


class ServingMetrics:
    """Counters and histograms of ModelDeployments, by namespace."""

    def __init__(self, made: Catalogue) -> None:
        self._counted: OrderedDict[str, None] = OrderedDict()
        self._cold_starts = made.histogram(
            "slipway_model_cold_start_seconds",
            "Time from a serving pod's creation until it was ready for the first time.",
            *("namespace", "deployment"),
            buckets=LONG[:10],
        )
        self._rollouts = made.histogram(
            "slipway_rollout_duration_seconds",
            "Time from a new revision to the end of its rollout, by strategy and result.",
            *("namespace", "strategy", "result"),
            buckets=LONG,
        )

    def status_written(self, before: Manifest, after: Status) -> None:
        """Count what ``after`` says that the status of the object ``before`` did not."""
        self._count_rolling_update(before, after)

    def _count_rolling_update(self, before: Manifest, after: Status) -> None:
        old = reading.status_of(before)
        found = reading.condition(after, "Progressing")
        result = _RESULTS.get(str(found.get("reason")))
        if result is None or not reading.is_true(old, "Progressing"):
            return
        took = elapsed(
            reading.turned(old, "Progressing", "True"),
            reading.turned(after, "Progressing", "False"),
        )
        if took is not None:
            labels = (reading.namespace_of(before), strategy_of(before), result)
            self._rollouts.labels(*labels).observe(took)

    def pod_changed(self, before: Manifest | None, after: Manifest) -> None:
        """Count a serving pod's start when it is ready for the first time that is seen."""
        labels = after["metadata"].get("labels") or {}
        ready_since = _ready_since(after)
        if labels.get(COMPONENT) != "server" or before is None or ready_since is None:
            return
        uid = str(after["metadata"].get("uid"))
        if _ready_since(before) is not None or uid in self._counted:
            return
        self._counted[uid] = None
        if len(self._counted) > _MOST_PODS:
            self._counted.popitem(last=False)
        took = elapsed(reading.created(after), ready_since)
        if took is not None:
            owner = labels.get(MODEL_DEPLOYMENT, "")
            self._cold_starts.labels(reading.namespace_of(after), owner).observe(took)

    def forget(self, deployment: Manifest) -> None:
        """Drop the series of a deployment that is gone."""
        at = {
            "namespace": reading.namespace_of(deployment),
            "deployment": reading.name_of(deployment),
        }
        self._cold_starts.remove_by_labels(at)


_RESULTS = {"RolloutComplete": "Succeeded", "ProgressDeadlineExceeded": "Failed"}


def strategy_of(deployment: Mapping[str, Any]) -> str:
    """Return how a deployment's new revision takes over."""
    rollout = (deployment.get("spec") or {}).get("rollout") or {}
    return str(rollout.get("strategy") or "RollingUpdate")


def _ready_since(pod: Mapping[str, Any]) -> float | None:
    return reading.turned(reading.status_of(pod), "Ready", "True")
