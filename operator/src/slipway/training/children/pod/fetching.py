"""Init containers that bring files into a pod: the operator's own program, with credentials."""

from collections.abc import Mapping
from typing import Any

from slipway.api import TrainingJob
from slipway.api.base import Quantity
from slipway.api.common import ResourceRequirements
from slipway.manifests import container_security, escaped, mount, pod_command
from slipway.opened import Opened
from slipway.pods.resources import resources, room, size
from slipway.settings import Settings
from slipway.training.children import names
from slipway.training.children.pod.agent import own_image
from slipway.training.children.pod.environment import SCRATCH, pairs


def fetching_container(
    name: str,
    program: str,
    env: dict[str, str],
    mounts: list[dict[str, Any]],
    opened: tuple[Opened, ...],
    given: ResourceRequirements,
    settings: Settings,
) -> dict[str, Any]:
    """Return an init container that runs a module of the runtime; ``given`` are its resources."""
    return {
        "name": name,
        **own_image(settings),
        "command": pod_command(program),
        "env": [
            *pairs({**SCRATCH, **{key: escaped(value) for key, value in env.items()}}),
            *(variable for each in opened for variable in each.env),
        ],
        "resources": resources("fetch", settings, given),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *mounts,
            *(mounted for each in opened for mounted in each.mounts),
            mount(names.SOURCE_SCRATCH, "/tmp"),  # noqa: S108 - an emptyDir of the pod
        ],
    }


def fetching_room(
    job: TrainingJob, settings: Settings, folders: Mapping[str, Quantity]
) -> dict[str, str]:
    """Return the variable with how large the folders and the container's /tmp may grow."""
    scratch = size("scratch", settings, job.spec.volume_sizes.scratch)
    return room({**folders, "/tmp": scratch})  # noqa: S108 - an emptyDir of the pod
