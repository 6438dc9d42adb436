"""The gauges of each object, and who shows them."""

import math
from typing import Any, cast

from slipway.controller.gauges import Sources, add_gauges
from slipway.kube.watched.room import Room
from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.metrics import Metrics
from slipway.telemetry.objects.gpus import GpuMeter, held, held_by
from tests.unit.telemetry.objects import at, condition, deployment, job, value


class FakeCache:
    """Holds objects by kind."""

    def __init__(self, *objects: Manifest) -> None:
        self._objects = objects
        self.room = Room(math.inf)

    def __len__(self) -> int:
        return len(self._objects)

    def uids(self, kind: str) -> list[tuple[ObjectRef, str, int]]:
        found = [obj for obj in self._objects if obj["kind"] == kind]
        return [(ObjectRef.of(obj), "uid", 1) for obj in found]

    def get(self, ref: ObjectRef) -> Manifest:
        return next(obj for obj in self._objects if ObjectRef.of(obj) == ref)


class Idle:
    """A queue and a health with nothing to tell."""

    active = 0

    def __len__(self) -> int:
        return 0

    def ages(self) -> dict[str, float]:
        return {}


def served(*objects: Manifest, leading: bool = True) -> Metrics:
    metrics, idle = Metrics(), cast(Any, Idle())
    cache = cast(Any, FakeCache(*objects))
    add_gauges(metrics, Sources(cache, idle, idle, lambda: leading))
    return metrics


def of_job(metrics: Metrics, name: str, **labels: str) -> float | None:
    return value(
        metrics, f"slipway_training_job_{name}", namespace="ml", training_job="digits", **labels
    )


def test_a_job_shows_its_phase_nodes_and_progress() -> None:
    progress = {"step": 30, "percent": 30, "lastReportTime": at("12:00:00")}
    nodes = {"desired": 2, "active": 2, "ready": 1}
    metrics = served(job(phase="Running", nodes=nodes, progress=progress))
    assert of_job(metrics, "phase", phase="Running") == 1
    assert of_job(metrics, "nodes", state="ready") == 1
    assert of_job(metrics, "progress_ratio") == 0.3
    assert of_job(metrics, "last_report_timestamp_seconds") == 1767268800


def test_a_job_without_a_status_is_pending() -> None:
    metrics = served(job())
    assert of_job(metrics, "phase", phase="Pending") == 1
    assert of_job(metrics, "progress_ratio") is None
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Pending") == 1


def test_a_condition_is_shown_with_its_reason() -> None:
    metrics = served(deployment(condition("Ready", False, "12:00:00", "Unschedulable")))
    labels = {"namespace": "ml", "deployment": "model", "condition": "Ready"}
    name = "slipway_model_deployment_condition"
    assert value(metrics, name, **labels, reason="Unschedulable") == 0


def test_all_traffic_is_the_stable_revisions_while_nothing_is_tried() -> None:
    metrics = served(deployment(revision="abc"))
    labels = {"namespace": "ml", "deployment": "model", "revision": "abc", "role": "stable"}
    assert value(metrics, "slipway_rollout_weight_ratio", **labels) == 1


def test_weights_are_shown_by_revision_and_role() -> None:
    rollout = {
        "phase": "Progressing",
        "stableRevision": "old",
        "stableWeight": 80,
        "candidate": {"revision": "new", "weight": 20, "step": 1, "steps": 5},
    }
    metrics = served(deployment(rollout=rollout))
    of, name = {"namespace": "ml", "deployment": "model"}, "slipway_rollout_weight_ratio"
    assert value(metrics, name, **of, revision="old", role="stable") == 0.8
    assert value(metrics, name, **of, revision="new", role="candidate") == 0.2
    assert value(metrics, "slipway_rollout_step", **of) == 1
    phase = value(
        metrics, "slipway_rollout_phase", **of, strategy="RollingUpdate", phase="Progressing"
    )
    assert phase == 1


def test_an_analysis_shows_its_phase_and_what_it_measured() -> None:
    measured = {"name": "errors", "value": "0.95", "stableValue": "0.999"}
    candidate = {
        "revision": "new",
        "analysis": {"phase": "Running", "measurements": [measured]},
    }
    metrics = served(deployment(rollout={"candidate": candidate}))
    of = {"namespace": "ml", "deployment": "model", "analysis": "step"}
    assert value(metrics, "slipway_analysis_phase", **of, phase="Running") == 1
    name, metric = "slipway_analysis_value", {"metric": "errors"}
    assert value(metrics, name, **of, **metric, role="candidate") == 0.95
    assert value(metrics, name, **of, **metric, role="stable") == 0.999


def test_a_shadow_is_told_from_a_candidate_that_answers_users() -> None:
    candidate = {"revision": "new", "weight": 50, "mirror": True}
    metrics = served(deployment(rollout={"stableRevision": "old", "candidate": candidate}))
    of, name = {"namespace": "ml", "deployment": "model"}, "slipway_rollout_weight_ratio"
    assert value(metrics, name, **of, revision="new", role="shadow") == 0.5
    assert value(metrics, name, **of, revision="old", role="stable") == 1


def test_a_replica_that_stands_by_shows_nothing_of_the_cluster() -> None:
    metrics = served(job(phase="Running"), leading=False)
    assert of_job(metrics, "phase", phase="Running") is None
    assert value(metrics, "slipway_training_jobs", namespace="ml", phase="Running") is None
    assert value(metrics, "slipway_cached_objects") == 1


def gpu_pod(phase: str, node: str = "node-1") -> Manifest:
    limits = {"nvidia.com/gpu": "2", "memory": "4Gi"}
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": "ml",
            "name": "p",
            "labels": {
                "slipway.dev/component": "trainer",
                "slipway.dev/training-job": "digits",
            },
        },
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": limits}}]},
        "status": {"phase": phase},
    }


def test_gpus_are_held_from_the_node_to_the_end() -> None:
    assert held(gpu_pod("Pending")) == 2
    assert held(gpu_pod("Running")) == 2
    assert held(gpu_pod("Pending", node="")) == 0
    assert held(gpu_pod("Succeeded")) == 0


def test_a_forged_component_makes_no_series() -> None:
    pod = gpu_pod("Running")
    pod["metadata"]["labels"]["slipway.dev/component"] = "made-up-17"
    assert list(held_by(pod)) == []


def test_a_pod_of_no_object_makes_no_series_which_nothing_would_end() -> None:
    pod = gpu_pod("Running")
    del pod["metadata"]["labels"]["slipway.dev/training-job"]
    assert list(held_by(pod)) == []


def test_gpu_seconds_add_up_from_look_to_look() -> None:
    now = 100.0
    meter = GpuMeter(lambda: dict(held_by(gpu_pod("Running"))), lambda: now)
    now = 130.0
    assert dict(meter.seconds()) == {("ml", "trainer"): 60}
    now = 140.0
    assert dict(meter.seconds()) == {("ml", "trainer"): 80}
