"""Init containers that bring files into a pod: the operator's own program, with credentials."""

from typing import Any

from slipway.manifests import container_security, mount, runtime_command
from slipway.opened import Opened
from slipway.settings import Settings
from slipway.training.agent import own_image
from slipway.training.environment import SCRATCH, pairs

RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}


def fetching_container(
    name: str,
    program: str,
    env: dict[str, str],
    mounts: list[dict[str, Any]],
    scratch: str,
    opened: Opened,
    settings: Settings,
) -> dict[str, Any]:
    """Return an init container that runs a module of the runtime; ``scratch`` is its /tmp."""
    return {
        "name": name,
        **own_image(settings),
        "command": runtime_command(program),
        "env": [
            *pairs({**SCRATCH, **{key: escaped(value) for key, value in env.items()}}),
            *opened.env,
        ],
        "resources": RESOURCES,
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*mounts, *opened.mounts, mount(scratch, "/tmp")],  # noqa: S108 - an emptyDir of the pod
    }


def escaped(value: str) -> str:
    """Return a value in which the kubelet expands nothing: ``$$`` stands for ``$``."""
    return value.replace("$", "$$")
