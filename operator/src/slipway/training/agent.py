"""The agent: the operator's own sidecar of a training pod."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import container_security, mount, runtime_command
from slipway.opened import Opened, store
from slipway.settings import Settings
from slipway.training import checkpoints, names
from slipway.training.environment import agent_env

READY_FILE = f"{names.RUN_DIR}/ready"
"""The agent makes it when the launcher lies ready for the training container."""

AGENT_RESOURCES = {
    "requests": {"cpu": "20m", "memory": "64Mi"},
    "limits": {"memory": "1Gi"},
}
"""The agent waits most of the time; its limit is for the upload at the end."""


def own_image(settings: Settings) -> dict[str, Any]:
    """Return the image fields of a container of the operator's own."""
    return {"image": settings.trainer_image, "imagePullPolicy": settings.image_pull_policy}


def agent(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the native sidecar; its scratch folder is its own, out of the user's reach."""
    access = opened(job, settings)
    return {
        "name": names.AGENT,
        **own_image(settings),
        "restartPolicy": "Always",
        "command": runtime_command("agent"),
        "env": [*agent_env(job, settings), *(one for each in access for one in each.env)],
        "ports": [{"name": "metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"}],
        "startupProbe": {
            "exec": {"command": ["cat", READY_FILE]},
            "periodSeconds": 1,
            "failureThreshold": 120,
        },
        "resources": _resources(job),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            mount("run", names.RUN_DIR),
            mount("output", names.OUTPUT_DIR, read_only=True),
            *checkpoints.agent_mounts(job),
            *(one for each in access for one in each.mounts),
            mount("agent-tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


def opened(job: TrainingJob, settings: Settings) -> tuple[Opened, ...]:
    """Return what opens the places that the agent reads and writes."""
    return store(settings.store), checkpoints.opened(job)


def _resources(job: TrainingJob) -> dict[str, Any]:
    if job.spec.checkpoint is None:
        return AGENT_RESOURCES
    requests = {**AGENT_RESOURCES["requests"], "memory": checkpoints.MEMORY}
    return {**AGENT_RESOURCES, "requests": requests}
