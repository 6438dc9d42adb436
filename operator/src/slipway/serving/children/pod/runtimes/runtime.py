"""What the pods of a runtime need to be told of it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import Upstream
from slipway.settings import Settings


class Runtime(Protocol):
    """What serves one archive in a pod's main container.

    The container runs as any user, with a root that is read-only, and has the archive in
    ``names.MODELS_DIR``. Its image has `slipway_runtime.drain`, which the preStop hook runs, and it
    ends with 0 on SIGTERM once it has answered what it has. A program in it may take the pod out
    of service by Envoy's hooks, and tells why it ends in the termination message.
    """

    @property
    def command(self) -> Sequence[str]:
        """The program that is the container's main process."""

    @property
    def fetch_arguments(self) -> Sequence[str]:
        """What the container that brings the archive does besides."""

    @property
    def folders(self) -> Mapping[str, str]:
        """Paths that are written to besides ``names.TMP_DIR``, by the names of their volumes."""

    def image(self, settings: Settings) -> str:
        """Return the release's image."""

    def arguments(self, deployment: ModelDeployment, model: ModelStatus) -> list[str]:
        """Return the arguments of the program."""

    def environment(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the variables that only this runtime knows."""

    def files(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the files in ``names.CONFIG_DIR`` that only this runtime reads, by name."""

    def upstream(self, model: str, workers: int) -> Upstream:
        """Return where Envoy asks it for answers, readiness, life and counters."""
