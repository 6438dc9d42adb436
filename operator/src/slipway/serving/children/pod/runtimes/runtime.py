"""What the pods of a runtime need to be told of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import Upstream
from slipway.settings import Settings


class Runtime(Protocol):
    """What serves a model in a pod's main container.

    The container runs as any user, with a root that is read-only, and has the model in its
    ``mount``. It ends on SIGTERM once it has answered what it has.
    """

    @property
    def folders(self) -> Mapping[str, str]:
        """Paths that are written to besides ``names.TMP_DIR``, by the names of their volumes."""

    @property
    def has_hooks(self) -> bool:
        """Whether the server's image has the programs that drain the pod and test the model.

        It then has `slipway_runtime.drain`, which the preStop hook runs, and a program that may
        take the pod out of service by Envoy's hooks, and tells why it ends in the termination
        message. Otherwise a container beside it does both; see `slipway_pods.serve.hooks`.
        """

    def own_image(self, settings: Settings) -> str:
        """Return the release's image for what is beside the server: Envoy and the programs."""

    def image(self, deployment: ModelDeployment, settings: Settings) -> str:
        """Return the server's image."""

    def process(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, list[str]]:
        """Return the fields ``command`` and ``args`` of the server's container."""

    def environment(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the variables that only this runtime knows."""

    def variables(self, deployment: ModelDeployment) -> dict[str, list[dict[str, Any]]]:
        """Return the user's own variables: the fields ``env`` and ``envFrom`` of a container."""

    def fetch_arguments(self, deployment: ModelDeployment, model: ModelStatus) -> Sequence[str]:
        """Return where the model is brought to, and what is done besides."""

    def mount(self, deployment: ModelDeployment) -> dict[str, Any]:
        """Return the mount of the volume ``models`` in the server's container."""

    def files(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the files in ``names.CONFIG_DIR`` that only this runtime reads, by name."""

    def upstream(self, deployment: ModelDeployment, model: ModelStatus) -> Upstream:
        """Return where Envoy asks it for answers, readiness, life and counters."""
