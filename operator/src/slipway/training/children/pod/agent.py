"""The agent: the operator's own sidecar of a training pod."""

from typing import Any

from slipway.api import TrainingJob
from slipway.api.common import ResourceRequirements
from slipway.api.fields.own_pieces import TRAINING_POD
from slipway.manifests import container_security, mount, pod_command
from slipway.opened import Opened, store
from slipway.pods.resources import resources
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod import checkpoints
from slipway.training.children.pod.environment import agent_env

READY_FILE = f"{names.AGENT_DIR}/ready"
"""The agent makes it when the launcher lies ready for the training container."""

HANDED_OUT = "16Mi"
"""Size limit of what the agent hands out, a few hundred kilobytes of source."""


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
        "command": pod_command("agent.agent"),
        "env": [*agent_env(job, settings), *(variable for each in access for variable in each.env)],
        "ports": [{"name": "metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"}],
        "startupProbe": {
            "exec": {"command": ["cat", READY_FILE]},
            "periodSeconds": 1,
            "failureThreshold": 120,
        },
        "resources": _resources(job, settings),
        "securityContext": {**container_security(), **_user(job)},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            mount(names.AGENT_VOLUME, names.AGENT_DIR),
            mount("run", names.RUN_DIR, read_only=True),
            mount("output", names.OUTPUT_DIR, read_only=True),
            *checkpoints.agent_mounts(job),
            *(volume_mount for each in access for volume_mount in each.mounts),
            mount("agent-tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


def opened(job: TrainingJob, settings: Settings) -> tuple[Opened, ...]:
    """Return what opens the places that the agent reads and writes."""
    return store(settings.store), checkpoints.opened(job)


def _user(job: TrainingJob) -> dict[str, Any]:
    """Return the agent's own user, so that the script reaches neither its memory nor its files.

    Its group is the script's, by which each reads what the other writes. A claim may have
    checkpoints of release 0.2.0, which only the user that wrote them can delete: with one, the
    agent is that user.
    """
    kept = job.spec.checkpoint
    return {} if kept is not None and kept.claim else {"runAsUser": TRAINING_POD.agent_user}


def _resources(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    given = job.spec.agent.resources
    if job.spec.checkpoint is None:
        return resources("agent", settings, given)
    more = ResourceRequirements(requests={"memory": checkpoints.MEMORY})
    return resources("agent", settings, more, given)
