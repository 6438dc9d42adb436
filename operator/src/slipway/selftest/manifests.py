"""The objects that the test applies, as small as they can be."""

from typing import Any

from slipway.api.base import API_VERSION
from slipway.plan import Manifest
from slipway.selftest.sources import FILES

_LABELS = {"app.kubernetes.io/part-of": "slipway", "app.kubernetes.io/component": "test"}


def _head(api_version: str, kind: str, namespace: str, name: str) -> Manifest:
    meta = {"name": name, "namespace": namespace, "labels": dict(_LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _resources(memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": "2Gi"}}


def source(namespace: str, name: str) -> Manifest:
    """Return the ConfigMap with the model's files."""
    return {**_head("v1", "ConfigMap", namespace, name), "data": dict(FILES)}


def training_job(namespace: str, name: str) -> Manifest:
    """Return the TrainingJob that trains and packages the model, on one pod."""
    spec = {
        "nodes": 1,
        "source": {"configMap": {"name": name}},
        "entrypoint": "train.py",
        "resources": _resources("256Mi"),
        "backoffLimit": 0,
        "package": {
            "modelName": "line",
            "serializedFile": "line.pt",
            "modelFile": "model.py",
            "handler": "handler.py",
        },
    }
    return {**_head(API_VERSION, "TrainingJob", namespace, name), "spec": spec}


def model_deployment(namespace: str, name: str) -> Manifest:
    """Return the ModelDeployment that serves the model, by one pod."""
    spec = {
        "model": {"trainingJob": {"name": name}},
        "replicas": 1,
        "server": {"workers": 1, "resources": _resources("512Mi")},
    }
    return {**_head(API_VERSION, "ModelDeployment", namespace, name), "spec": spec}
