"""The sidecar of a server that has nothing of Slipway's: it drains the pod, and tests the model."""

from typing import Any

from slipway import envoy
from slipway.api import ModelDeployment
from slipway.api.serving.container import ServerContainer
from slipway.api.serving.model_status import ModelStatus
from slipway.manifests import pod_command
from slipway.pods.resources import resources
from slipway.serving.children import names
from slipway.serving.children.pod import runtimes
from slipway.serving.children.pod.containers import (
    SCRATCH,
    container,
    hook_variables,
    pairs,
    probe,
    smoke_mounts,
)
from slipway.settings import Settings


def hooks(
    deployment: ModelDeployment, model: ModelStatus, settings: Settings
) -> list[dict[str, Any]]:
    """Return the container of `slipway_pods.serve.hooks` where the server needs one.

    It listens on loopback, and the kubelet reaches it by Envoy.
    """
    wanted = deployment.spec.server.container
    if wanted is None:
        return []
    image = runtimes.of(deployment).own_image(settings)
    return [
        {
            **container(names.HOOKS, image, settings),
            "restartPolicy": "Always",
            "command": pod_command("serve.hooks"),
            "env": pairs(
                {**SCRATCH, **hook_variables(deployment, model), **_server(wanted, model)}
            ),
            "resources": resources("hooks", settings),
            "startupProbe": probe(envoy.HOOKS_LIVE_PATH, period=1, timeout=5, failures=120),
            "volumeMounts": smoke_mounts(deployment),
        }
    ]


def _server(wanted: ServerContainer, model: ModelStatus) -> dict[str, str]:
    """Return what the program has to know of the server."""
    found = {
        "SLIPWAY_MODEL": model.name,
        "SLIPWAY_SERVER_PORT": str(wanted.port),
        "SLIPWAY_PREDICT_PATH": wanted.predict_path,
    }
    if wanted.readiness is not None and wanted.readiness.path is not None:
        found["SLIPWAY_READY_PATH"] = wanted.readiness.path
    if wanted.drain is not None:
        found["SLIPWAY_DRAIN_PATH"] = wanted.drain.path
    return found
