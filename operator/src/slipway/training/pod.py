"""The pod that trains: the user's container, the agent beside it, and their volumes."""

from typing import Any

from slipway.api import TrainingJob
from slipway.manifests import container_security, empty_dir, mount, pod_security
from slipway.settings import Settings
from slipway.training import names
from slipway.training.agent import agent, own_image
from slipway.training.environment import trainer_env
from slipway.training.source import source_mounts, source_volumes


def training_pod(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the pod template's spec."""
    pod = {
        **pod_security(),
        "restartPolicy": "Never",
        "initContainers": [agent(job, settings)],
        "containers": [_trainer(job, settings)],
        "volumes": [
            *source_volumes(job),
            *(empty_dir(name) for name in ("run", "output", "tmp", "agent-tmp")),
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }
    return pod if job.spec.nodes == 1 else {**pod, "subdomain": names.train_name(job)}


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
