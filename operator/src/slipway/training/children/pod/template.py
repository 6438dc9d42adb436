"""The pod that trains: the user's container, the agent beside it, their volumes, the overlay."""

from typing import Any

from slipway.api import TrainingJob
from slipway.api.fields.own_pieces import TRAINING_POD
from slipway.manifests import (
    DEFAULT_CONTAINER,
    container_security,
    empty_dir,
    env_from,
    labels,
    mount,
    pod_security,
    scrape_annotations,
)
from slipway.opened import volumes
from slipway.pods.overlay import overlaid
from slipway.pods.resources import shared_memory, size
from slipway.settings import Settings
from slipway.store import store_identity
from slipway.training.children import names
from slipway.training.children.pod import agent, checkpoints, inputs, scheduling, source
from slipway.training.children.pod.agent import own_image
from slipway.training.children.pod.environment import trainer_env
from slipway.training.children.pod.inputs import input_containers, input_mounts, input_volumes
from slipway.training.children.pod.source import source_containers, source_mounts, source_volumes


def template(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the pod template, the user's overlay merged in; raises OverlayError for a bad one."""
    made = {"metadata": _metadata(job, settings), "spec": _pod(job, settings)}
    return overlaid(made, job.spec.pod_template, TRAINING_POD)


def _metadata(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    """Return the pods' labels, and the annotations that kubectl and Prometheus go by."""
    return {
        "labels": {**labels(job, names.TRAINER), **scheduling.labels(job)},
        "annotations": {
            DEFAULT_CONTAINER: names.TRAINER,
            **scrape_annotations(settings, names.METRICS_PORT),
        },
    }


def _pod(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    fetching = [*source_containers(job, settings, checked=True), *input_containers(job, settings)]
    pod = {
        **pod_security(),
        **store_identity(settings.store),
        **checkpoints.pod_fields(job),
        "restartPolicy": "Never",
        "initContainers": [agent.agent(job, settings), *fetching],
        "containers": [_trainer(job, settings)],
        "volumes": [
            *_volumes(job, settings, fetching=bool(fetching)),
            *_secrets(job, settings),
        ],
        **scheduling.fields(job, settings),
    }
    return pod if job.spec.most_nodes == 1 else {**pod, "subdomain": names.train_name(job)}


def _secrets(job: TrainingJob, settings: Settings) -> list[dict[str, Any]]:
    """Return the volumes of the Secrets that the operator's own containers read."""
    fetched = inputs.fetched(job)
    brought = (access for each in fetched for access in inputs.opened(job, each, settings))
    return volumes((*agent.opened(job, settings), source.opened(job, settings), *brought))


def _volumes(job: TrainingJob, settings: Settings, *, fetching: bool) -> list[dict[str, Any]]:
    sizes = job.spec.volume_sizes
    scratch = size("scratch", settings, sizes.scratch)
    folders = (*("run", "tmp", "agent-tmp"), *((names.SOURCE_SCRATCH,) if fetching else ()))
    return [
        *source_volumes(job, settings),
        *input_volumes(job, settings),
        empty_dir("output", size("output", settings, sizes.output)),
        *(empty_dir(name, scratch) for name in folders),
        empty_dir(names.AGENT_VOLUME, agent.HANDED_OUT),
        shared_memory(job.spec.shared_memory, job.spec.resources),
        *checkpoints.volumes(job, settings),
    ]


def _trainer(job: TrainingJob, settings: Settings) -> dict[str, Any]:
    image = {"image": job.spec.image} if job.spec.image else own_image(settings)
    return {
        "name": names.TRAINER,
        **image,
        "command": ["python3", f"{names.AGENT_DIR}/launch.py"],
        "args": ["--", *(job.spec.command or ()), *job.spec.args],
        "env": trainer_env(job),
        **env_from(job.spec.env_from),
        "resources": scheduling.resources(job),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *source_mounts(job),
            *input_mounts(job),
            mount(names.AGENT_VOLUME, names.AGENT_DIR, read_only=True),
            mount("run", names.RUN_DIR),
            mount("output", names.OUTPUT_DIR),
            *checkpoints.trainer_mounts(job),
            mount("tmp", "/tmp"),  # noqa: S108 - an emptyDir of the pod
            mount("shm", "/dev/shm"),  # noqa: S108 - bounded by the memory limit, not by 64 MiB
        ],
    }
