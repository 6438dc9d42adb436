"""`slipway_server` in a pod: TorchServe's archives, handlers and words without Java."""

from collections.abc import Iterator, Mapping, Sequence

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import Upstream
from slipway.pods.placement import gpus
from slipway.serving.children.pod.in_force import in_force, one_more_answer, queue_size
from slipway.serving.children.pod.runtimes.archives import ArchiveServer, place
from slipway.serving.children.pod.runtimes.threads import threads_per_worker
from slipway.settings import Settings


class Python(ArchiveServer):
    """The Python server with its image's start script; see docs/python-server.md."""

    folders: Mapping[str, str] = {}

    def own_image(self, settings: Settings) -> str:
        """Return the release's image, which has all programs."""
        return settings.python_image

    def image(self, deployment: ModelDeployment, settings: Settings) -> str:
        """Return the user's image that stands on the release's, else that."""
        return deployment.spec.server.image or self.own_image(settings)

    def process(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, list[str]]:
        """Return the start script with what holds of the settings, and the archive."""
        words = (word for pair in _options(deployment, model) for word in pair)
        return {"command": ["/opt/slipway/serve"], "args": [*words, place(model)]}

    def fetch_arguments(self, _deployment: ModelDeployment, model: ModelStatus) -> Sequence[str]:
        """Return the archive's place."""
        return ("--dest", place(model))

    def environment(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return the threads of each worker, and what the watcher of the start needs."""
        server = deployment.spec.server
        return {
            "OMP_NUM_THREADS": str(threads_per_worker(server.resources, server.workers)),
            "SLIPWAY_MODEL": model.name,
            "SLIPWAY_WORKERS": str(server.workers),
            "SLIPWAY_ARCHIVE": place(model),
            "SLIPWAY_DEATHS_PORT": "0",
            "SLIPWAY_END_SIGNAL": "SIGINT",
        }

    def files(self, _deployment: ModelDeployment, _model: ModelStatus) -> dict[str, str]:
        """Return none: it is told all by its arguments."""
        return {}

    def upstream(self, deployment: ModelDeployment, model: ModelStatus) -> Upstream:
        """Return its three addresses; it is alive whatever its workers do."""
        return Upstream(
            workers=deployment.spec.server.workers,
            predictions=f"/predictions/{model.name}",
            ready_path=f"/models/{model.name}",
            ready_text='"status": "READY"',
            live_path="/models",
            metrics_path="/metrics",
            deaths_path="/deaths",
            inference_port=8080,
            management_port=8081,
            live_port=8081,
            metrics_port=8082,
            deaths_port=8081,
        )


def _options(deployment: ModelDeployment, model: ModelStatus) -> Iterator[tuple[str, str]]:
    """Yield the options; what only the archive says is left to it."""
    wanted, holds = deployment.spec.server, in_force(deployment, model)
    values = {
        "--name": model.name,
        "--workers": wanted.workers,
        "--queue-size": queue_size(deployment, model),
        "--batch-size": holds.batch_size,
        "--max-batch-delay": holds.max_batch_delay_milliseconds,
        "--response-timeout": holds.response_timeout_seconds,
        "--startup-timeout": holds.startup_timeout_seconds,
        "--max-request-bytes": wanted.max_request_bytes,
        "--max-response-bytes": wanted.max_response_bytes,
        "--drain-seconds": one_more_answer(deployment, model),
        "--gpus": "all" if deployment.spec.resource_claims else gpus(wanted.resources),
    }
    for name, value in values.items():
        if value is not None:
            yield name, str(value)
