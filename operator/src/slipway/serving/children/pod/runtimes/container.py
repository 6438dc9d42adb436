"""A server of the user's own in a pod: any image, which has nothing of Slipway's in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from slipway.api import ModelDeployment
from slipway.api.serving.container import ServerContainer
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import Upstream
from slipway.manifests import env_from, mount
from slipway.serving.children import names
from slipway.settings import Settings

IDLE_SECONDS = 1
"""How long Envoy keeps an unused connection to the server. The server must not close it first, for
a request may be on its way: gunicorn does so after 2 s, uvicorn and Node.js after 5 s."""


class Container:
    """The image of ``spec.server.container``; see docs/container.md."""

    has_hooks = False
    folders: Mapping[str, str] = {}

    def own_image(self, settings: Settings) -> str:
        """Return the smallest of the release's images that has Envoy."""
        return settings.python_image

    def image(self, deployment: ModelDeployment, _settings: Settings) -> str:
        """Return the user's image."""
        return described(deployment).image

    def process(self, deployment: ModelDeployment, _model: ModelStatus) -> dict[str, list[str]]:
        """Return what the user says of them; the image's own where that is nothing."""
        container = described(deployment)
        fields = {"command": list(container.command), "args": list(container.args)}
        return {name: words for name, words in fields.items() if words}

    def environment(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the model's name and place."""
        folder = described(deployment).model_mount
        return {"SLIPWAY_MODEL": model.name, "SLIPWAY_MODEL_DIR": folder}

    def variables(self, deployment: ModelDeployment) -> dict[str, list[dict[str, Any]]]:
        """Return the variables of the container."""
        container = described(deployment)
        return {
            "env": [variable.to_wire() for variable in container.env],
            **env_from(container.env_from),
        }

    def fetch_arguments(self, _deployment: ModelDeployment, _model: ModelStatus) -> Sequence[str]:
        """Return the folder of the model."""
        return ("--folder", f"{names.MODELS_DIR}/{names.MODEL_FOLDER}")

    def mount(self, deployment: ModelDeployment) -> dict[str, Any]:
        """Return the mount of the model alone, where the user wants it."""
        whole = mount("models", described(deployment).model_mount, read_only=True)
        return {**whole, "subPath": names.MODEL_FOLDER}

    def files(self, _deployment: ModelDeployment, _model: ModelStatus) -> dict[str, str]:
        """Return none: it is told all by arguments and variables."""
        return {}

    def upstream(self, deployment: ModelDeployment, _model: ModelStatus) -> Upstream:
        """Return its one port, and that of its page for Prometheus."""
        container = described(deployment)
        ready = container.readiness
        return Upstream(
            workers=1,
            predictions=container.predict_path,
            inference_port=container.port,
            management_port=container.port,
            ready_path=ready.path if ready else None,
            grpc_service=ready.grpc.service if ready and ready.grpc else None,
            metrics_path=container.metrics_path,
            metrics_port=container.metrics_port or container.port,
            paths=tuple(container.paths),
            idle_seconds=IDLE_SECONDS,
        )


def described(deployment: ModelDeployment) -> ServerContainer:
    """Return the container of a deployment whose runtime is Container."""
    container = deployment.spec.server.container
    if container is None:
        raise ValueError("server.container is missing, which the API server does not let happen")
    return container
