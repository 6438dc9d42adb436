"""What is created: the operator's own kinds, and what one would write without them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from slipway.api.serving.deployment import ModelDeployment
from slipway.api.training.job import TrainingJob
from slipway.plan import Children, Manifest
from slipway.serving.planner import plan as plan_serving
from slipway.serving.snapshot import ServingSnapshot
from slipway.settings import Settings
from slipway.training.children.service import headless_service
from slipway.training.planner import plan as plan_training
from slipway.training.snapshot import TrainingSnapshot

NAMESPACE = "scale"
NODES = 2
"""Pods of one TrainingJob."""
_SHA = "ab" * 32
_OWNERS = "ownerReferences"


def source() -> Manifest:
    """Return the ConfigMap that all TrainingJobs train from."""
    meta = {"name": "source", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"train.py": "1"}}


def training_job(number: int) -> Manifest:
    """Return a TrainingJob of ``NODES`` pods."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": f"job-{number}", "namespace": NAMESPACE},
        "spec": {
            "nodes": NODES,
            "source": {"configMap": {"name": "source"}},
            "entrypoint": "train.py",
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
            "package": {"serializedFile": "model.pt", "handler": "image_classifier"},
        },
    }


def plain_job(number: int) -> Manifest:
    """Return an Indexed Job of ``NODES`` pods as one writes it by hand: one container.

    Its pods have no Service, so this is the least that Kubernetes does for pods of a group.
    """
    container = {
        "name": "trainer",
        "image": Settings().trainer_image,
        "command": ["torchrun", "--nnodes=2", "/source/train.py"],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "volumeMounts": [{"name": "source", "mountPath": "/source"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"job-{number}", "namespace": NAMESPACE},
        "spec": {
            "completionMode": "Indexed",
            "completions": NODES,
            "parallelism": NODES,
            "template": {
                "metadata": {"labels": {"job": f"job-{number}"}},
                "spec": {
                    "restartPolicy": "Never",
                    "subdomain": f"job-{number}",
                    "containers": [container],
                    "volumes": [{"name": "source", "configMap": {"name": "source"}}],
                },
            },
        },
    }


def plain_service(number: int) -> Manifest:
    """Return the headless Service by which the pods of ``plain_job(number)`` can meet."""
    name = f"job-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"job": name}},
    }


def model_deployment(number: int) -> Manifest:
    """Return a ModelDeployment of one pod with an autoscaler."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": f"model-{number}", "namespace": NAMESPACE},
        "spec": {
            "model": {"uri": "https://models.example/model.mar", "sha256": _SHA},
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
        },
    }


def job_children(number: int, settings: Settings) -> list[Manifest]:
    """Return what the operator would make of ``training_job(number)``, without its owner."""
    job = TrainingJob.model_validate(_stored(training_job(number)))
    keys = frozenset({job.spec.entrypoint or ""})
    snapshot = TrainingSnapshot(job, Children(), source_keys=keys)
    made = _orphans(plan_training(snapshot, settings, datetime.now(UTC)).apply)
    return [*made, *_orphans(filter(None, [headless_service(job)]))]


def children(number: int, settings: Settings) -> list[Manifest]:
    """Return what the operator would make of ``model_deployment(number)``, without its owner."""
    deployment = ModelDeployment.model_validate(_stored(model_deployment(number)))
    return _orphans(plan_serving(ServingSnapshot(deployment), settings, datetime.now(UTC)).apply)


def _stored(manifest: Manifest) -> Manifest:
    meta = {**manifest["metadata"], "uid": manifest["metadata"]["name"], "generation": 1}
    return {**manifest, "metadata": meta}


def _orphans(children: Iterable[Manifest]) -> list[Manifest]:
    """Return children without their owner, whom the garbage collector would look for."""
    return [
        {**child, "metadata": {k: v for k, v in child["metadata"].items() if k != _OWNERS}}
        for child in children
        if child["kind"] != "Secret"
    ]
