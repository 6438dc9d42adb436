"""What the two servers of `.mar` archives have in common: images of the release, one archive."""

from typing import Any

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.manifests import env_from, mount
from slipway.serving.children import names

ALLOW_PICKLES = {"name": "SLIPWAY_ALLOW_PICKLED_MODELS", "value": "true"}
"""What handlers ask for before they load a pickle."""


class ArchiveServer:
    """A server whose image is the release's, or stands on it."""

    has_hooks = True

    def variables(self, deployment: ModelDeployment) -> dict[str, list[dict[str, Any]]]:
        """Return the variables of ``spec.server``, and that of ``spec.model.allowPickle``."""
        server = deployment.spec.server
        allowed = [ALLOW_PICKLES] if deployment.spec.model.allow_pickle else []
        env = [*(variable.to_wire() for variable in server.env), *allowed]
        return {"env": env, **env_from(server.env_from)}

    def mount(self, _deployment: ModelDeployment) -> dict[str, Any]:
        """Return the mount of the archive's folder."""
        return mount("models", names.MODELS_DIR, read_only=True)


def place(model: ModelStatus) -> str:
    """Return where the archive lies in the pod."""
    return f"{names.MODELS_DIR}/{names.archive(model.name)}"
