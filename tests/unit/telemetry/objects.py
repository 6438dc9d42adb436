"""Objects as Kubernetes has them, and looks at what a registry would serve."""

import asyncio
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from slipway.plan import Manifest
from slipway.telemetry.metrics import Metrics

DAY = "2026-01-01T"


def at(clock: str) -> str:
    """Return a moment of the day on which all happens: ``12:00:00``."""
    return f"{DAY}{clock}Z"


def condition(type_: str, value: bool, since: str, reason: str = "Because") -> Manifest:
    status = "True" if value else "False"
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": at(since)}


def job(*conditions: Manifest, **status: Any) -> Manifest:
    meta = {"namespace": "ml", "name": "digits", "creationTimestamp": at("12:00:00")}
    whole = {**status, "conditions": list(conditions)} if conditions or status else {}
    whole_job = {"apiVersion": "slipway.dev/v1alpha1", "kind": "TrainingJob"}
    return {**whole_job, "metadata": meta, "spec": {}, "status": whole}


def deployment(*conditions: Manifest, **status: Any) -> Manifest:
    found = job(*conditions, **status)
    return {**found, "kind": "ModelDeployment", "metadata": {**found["metadata"], "name": "model"}}


def server_pod(ready_since: str | None, uid: str = "pod-1") -> Manifest:
    labels = {"slipway.dev/component": "server", "slipway.dev/model-deployment": "model"}
    meta = {"namespace": "ml", "name": "p", "uid": uid, "labels": labels}
    ready = condition("Ready", ready_since is not None, ready_since or "12:00:00")
    return {
        "kind": "Pod",
        "metadata": {**meta, "creationTimestamp": at("12:00:00")},
        "status": {"conditions": [ready]},
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a sample's value, or None where it is not served."""
    for family in text_string_to_metric_families(page(metrics)):
        for sample in family.samples:
            if (sample.name, sample.labels) == (name, labels):
                return sample.value
    return None


def page(metrics: Metrics, accept: str = "") -> str:
    """Return all metrics as they are served."""

    async def read() -> bytes:
        return b"".join([piece async for piece in metrics.page(accept)])

    return asyncio.run(read()).decode()
