"""The Indexed Job that trains: one pod a node, made once and never applied again."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import (
    child,
    container_security,
    empty_dir,
    labels,
    mount,
    pod_security,
)
from slipway.plan import Manifest
from slipway.settings import Settings
from slipway.store import output_uri, store_env
from slipway.training import names
from slipway.training.environment import agent_env, trainer_env

READY_FILE = f"{names.RUN_DIR}/ready"
"""The agent makes it when the launcher lies ready for the training container."""

AGENT_RESOURCES = {
    "requests": {"cpu": "20m", "memory": "64Mi"},
    "limits": {"memory": "1Gi"},
}
"""The agent waits most of the time; its limit is for the upload at the end."""


def pod_failures(*first: dict[str, Any]) -> dict[str, Any]:
    """Return a podFailurePolicy: the given rules, then that disruptions do not count as tries.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
    """
    disrupted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return {"rules": [*first, disrupted]}


def backoff_limit(job: TrainingJob) -> int:
    """Return the Job's backoffLimit, in failed pods, for the user's, in failed tries of the group.

    When one pod fails, its peers lose their partner and fail as well: each failed try of the group
    may fail every pod once.
    """
    return job.spec.backoff_limit * job.spec.nodes


def training_job(job: TrainingJob, settings: Settings) -> Manifest:
    """Return the Indexed Job. Its template cannot change later; see `slipway.training.changes`.

    A replacement waits until the pod before it is gone (podReplacementPolicy), so that an index'
    DNS name never means two pods.
    """
    spec = {
        "completionMode": "Indexed",
        "completions": job.spec.nodes,
        "parallelism": job.spec.nodes,
        "backoffLimit": backoff_limit(job),
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": pod_failures(),
        "suspend": job.spec.suspend,
        "template": {
            "metadata": {"labels": labels(job, names.TRAINER)},
            "spec": _pod(job, settings),
        },
    }
    if job.spec.active_deadline_seconds is not None:
        spec["activeDeadlineSeconds"] = job.spec.active_deadline_seconds
    head = child(job, "batch/v1", "Job", names.train_name(job), names.TRAINER)
    return {**head, "spec": spec}


def _pod(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    pod = {
        **pod_security(),
        "restartPolicy": "Never",
        "initContainers": [_agent(job, settings)],
        "containers": [_trainer(job, settings)],
        "volumes": [
            *source_volumes(job),
            *(empty_dir(name) for name in ("run", "output", "tmp", "agent-tmp")),
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }
    return pod if job.spec.nodes == 1 else {**pod, "subdomain": names.train_name(job)}


def source_volumes(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the volume of a ConfigMap source; none for a source in the image."""
    config_map = job.spec.source.config_map
    return [{"name": "source", "configMap": {"name": config_map.name}}] if config_map else []


def source_mounts(job: TrainingJob) -> list[dict[str, Any]]:
    """Return the mount of a ConfigMap source; none for a source in the image."""
    here = bool(job.spec.source.config_map)
    return [mount("source", names.SOURCE_DIR, read_only=True)] if here else []


def own_image(settings: Settings) -> dict[str, Any]:
    """Return the image fields of a container of the operator's own."""
    return {"image": settings.trainer_image, "imagePullPolicy": settings.image_pull_policy}


def _agent(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the native sidecar; its scratch folder is its own, out of the user's reach."""
    return {
        "name": names.AGENT,
        **own_image(settings),
        "restartPolicy": "Always",
        "command": ["python3", "-m", "slipway_runtime.agent"],
        "env": agent_env(job, output_uri(settings.store, job)),
        "envFrom": store_env(settings.store),
        "ports": [{"name": "metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"}],
        "startupProbe": {
            "exec": {"command": ["cat", READY_FILE]},
            "periodSeconds": 1,
            "failureThreshold": 120,
        },
        "resources": AGENT_RESOURCES,
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            mount("run", names.RUN_DIR),
            mount("output", names.OUTPUT_DIR, read_only=True),
            mount("agent-tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


def _trainer(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    image = {"image": job.spec.image} if job.spec.image else own_image(settings)
    return {
        "name": names.TRAINER,
        **image,
        "command": ["python3", f"{names.RUN_DIR}/launch.py"],
        "args": ["--", *job.spec.args],
        "env": trainer_env(job),
        "resources": job.spec.resources.to_wire(),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *source_mounts(job),
            mount("run", names.RUN_DIR),
            mount("output", names.OUTPUT_DIR),
            mount("tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
            mount("shm", "/dev/shm"),  # noqa: S108 - bounded by the memory limit, not by 64 MiB
        ],
    }
