"""What happens to ModelDeployments and their pods, counted when it is seen or written."""

from collections.abc import Iterator, Mapping
from typing import Any

from cachetools import LRUCache

from slipway.manifests import COMPONENT, MODEL_DEPLOYMENT
from slipway.plan import Manifest
from slipway.serving.observed.pods import last_word
from slipway.serving.reasons import MODEL_READY, PROGRESSING, REFUSED, SMOKE_TEST_FAILED
from slipway.telemetry.catalogue import LONG, Catalogue
from slipway.telemetry.objects import reading
from slipway.telemetry.objects.reading import Status, elapsed, moment

_MOST_PODS = 4096
_SMOKE_VARIABLE = "SLIPWAY_SMOKE_TEST"
ANALYSES = {"step": "analysis", "background": "background"}
"""The analyses of a rollout, and the fields of its candidate that hold them."""


class ServingMetrics:
    """Counters and histograms of ModelDeployments, by namespace."""

    def __init__(self, made: Catalogue) -> None:
        self._counted: LRUCache[str, None] = LRUCache(_MOST_PODS)
        self._cold_starts = made.histogram(
            "slipway_model_cold_start_seconds",
            "Time from a serving pod's creation until it was ready for the first time.",
            *("namespace", "deployment"),
            buckets=LONG[:10],
        )
        self._gates = made.counter(
            "slipway_gate_results_total",
            "What gates said of new pods: the gate smoke passes or fails each of them.",
            *("namespace", "gate", "result"),
        )
        self._rollouts = made.histogram(
            "slipway_rollout_duration_seconds",
            "Time from a new revision to the end of its rollout, by strategy and result: Promoted, "
            "RolledBack or Superseded.",
            *("namespace", "strategy", "result"),
            buckets=LONG,
        )
        self._rollbacks = made.counter(
            "slipway_rollbacks_total",
            "Rollouts that went back to the stable revision, by the reason.",
            *("namespace", "reason"),
        )
        self._measurements = made.counter(
            "slipway_analysis_measurements_total",
            "Measurements of an analysis, by what they say of the new revision: Successful, "
            "Failed or Inconclusive.",
            *("namespace", "verdict"),
        )
        self._verdicts = made.counter(
            "slipway_analysis_verdicts_total",
            "Analyses that came to a verdict: Successful, Failed or Inconclusive.",
            *("namespace", "verdict"),
        )

        self._refused = made.counter(
            "slipway_models_refused_total",
            "Archives that were not served, by the reason: changed, not signed by a key that "
            "counts, not decrypted, rejected by a gate, or answering their samples otherwise.",
            *("namespace", "reason"),
        )

    def status_written(self, before: Manifest, after: Status) -> None:
        """Count what ``after`` says that the status of the object ``before`` did not."""
        old, new = rollout_of(reading.status_of(before)), rollout_of(after)
        known = {(each.get("revision"), each.get("finishedAt")) for each in _history(old)}
        for entry in _history(new):
            if (entry.get("revision"), entry.get("finishedAt")) not in known:
                self._count_rollout(before, entry)
        for field in ANALYSES.values():
            self._count_analysis(
                reading.namespace_of(before),
                (old.get("candidate") or {}).get(field) or {},
                (new.get("candidate") or {}).get(field) or {},
            )
        for reason in _refusals(after) - _refusals(reading.status_of(before)):
            self._refused.labels(reading.namespace_of(before), reason).inc()

    def _count_rollout(self, deployment: Manifest, entry: Mapping[str, Any]) -> None:
        namespace, result = reading.namespace_of(deployment), str(entry.get("outcome"))
        took = elapsed(moment(entry.get("startedAt")), moment(entry.get("finishedAt")))
        if took is not None:
            self._rollouts.labels(namespace, strategy_of(deployment), result).observe(took)
        if result == "RolledBack":
            self._rollbacks.labels(namespace, str(entry.get("reason") or "Unknown")).inc()

    def _count_analysis(
        self, namespace: str, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        measured = new.get("lastMeasurementTime")
        if measured and measured != old.get("lastMeasurementTime"):
            for each in new.get("measurements") or ():
                self._measurements.labels(namespace, str(each.get("verdict"))).inc()
        phase = new.get("phase")
        if phase and phase not in ("Running", old.get("phase")):
            self._verdicts.labels(namespace, str(phase)).inc()

    def pod_changed(self, before: Manifest | None, after: Manifest) -> None:
        """Count a serving pod's start, and what the smoke gate says of it."""
        labels = after["metadata"].get("labels") or {}
        if labels.get(COMPONENT) != "server" or before is None:
            return
        namespace = reading.namespace_of(after)
        if _smoke_failures(after) > _smoke_failures(before):
            self._gates.labels(namespace, "smoke", "Failed").inc()
        ready_since = _ready_since(after)
        if ready_since is None or _ready_since(before) is not None or not self._is_first(after):
            return
        if _has_smoke_gate(after):
            self._gates.labels(namespace, "smoke", "Passed").inc()
        took = elapsed(reading.created(after), ready_since)
        if took is not None:
            self._cold_starts.labels(namespace, labels.get(MODEL_DEPLOYMENT, "")).observe(took)

    def _is_first(self, pod: Manifest) -> bool:
        """Tell whether a pod is counted for the first time, and remember it."""
        uid = str(pod["metadata"].get("uid"))
        if uid in self._counted:
            return False
        self._counted[uid] = None
        return True

    def forget_namespace(self, namespace: str) -> None:
        """Drop the series of a namespace that has no object any more."""
        for metric in (
            *(self._cold_starts, self._gates, self._rollouts),
            *(self._rollbacks, self._measurements, self._verdicts, self._refused),
        ):
            metric.remove_by_labels({"namespace": namespace})

    def forget(self, deployment: Manifest) -> None:
        """Drop the series of a deployment that is gone."""
        at = {
            "namespace": reading.namespace_of(deployment),
            "deployment": reading.name_of(deployment),
        }
        self._cold_starts.remove_by_labels(at)


def rollout_of(status: Status) -> Mapping[str, Any]:
    """Return where a deployment's rollout stands; empty where nothing was rolled out yet."""
    return status.get("rollout") or {}


def strategy_of(deployment: Mapping[str, Any]) -> str:
    """Return how a deployment's new revision takes over."""
    rollout = (deployment.get("spec") or {}).get("rollout") or {}
    return str(rollout.get("strategy") or "RollingUpdate")


def _history(rollout: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from rollout.get("history") or ()


def _refusals(status: Status) -> set[str]:
    """Return why archives are refused now; a revision that was rolled back is refused still."""
    types = (MODEL_READY, PROGRESSING)
    told = (each.get("reason") for each in reading.conditions_of(status) if each["type"] in types)
    return {reason for reason in told if reason in REFUSED}


def _ready_since(pod: Mapping[str, Any]) -> float | None:
    return reading.turned(reading.status_of(pod), "Ready", "True")


def _has_smoke_gate(pod: Mapping[str, Any]) -> bool:
    containers = (pod.get("spec") or {}).get("containers") or ()
    variables = (each.get("name") for one in containers for each in one.get("env") or ())
    return _SMOKE_VARIABLE in variables


def _smoke_failures(pod: Mapping[str, Any]) -> int:
    """Return how many times a pod's server has ended, where it ended last by the smoke test."""
    for each in reading.status_of(pod).get("containerStatuses") or ():
        for field in ("state", "lastState"):
            ended = (each.get(field) or {}).get("terminated")
            if ended:
                failed = last_word(ended).get("reason") == SMOKE_TEST_FAILED
                again = 1 if field == "state" else 0
                return int(each.get("restartCount", 0)) + again if failed else 0
    return 0
