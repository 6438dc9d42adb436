"""Init containers that bring files into a pod: the operator's own program, with credentials."""

from typing import Any

from slipway.manifests import container_security, mount, runtime_command
from slipway.settings import Settings
from slipway.store import store_env
from slipway.training.agent import own_image
from slipway.training.environment import SCRATCH, pairs

RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}


def credentials(uri: str, secret_name: str | None, settings: Settings) -> list[dict[str, Any]]:
    """Return the ``envFrom`` that opens a URI: the user's Secret, else for s3 the store's own."""
    if secret_name:
        return [{"secretRef": {"name": secret_name}}]
    return store_env(settings.store) if uri.startswith("s3:") else []


def fetching_container(
    name: str,
    program: str,
    env: dict[str, str],
    mounts: list[dict[str, Any]],
    scratch: str,
    env_from: list[dict[str, Any]],
    settings: Settings,
) -> dict[str, Any]:
    """Return an init container that runs a module of the runtime; ``scratch`` is its /tmp."""
    return {
        "name": name,
        **own_image(settings),
        "command": runtime_command(program),
        "env": pairs({**SCRATCH, **{key: escaped(value) for key, value in env.items()}}),
        **({"envFrom": env_from} if env_from else {}),
        "resources": RESOURCES,
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*mounts, mount(scratch, "/tmp")],  # noqa: S108 - an emptyDir of the pod
    }


def escaped(value: str) -> str:
    """Return a value in which the kubelet expands nothing: ``$$`` stands for ``$``."""
    return value.replace("$", "$$")
