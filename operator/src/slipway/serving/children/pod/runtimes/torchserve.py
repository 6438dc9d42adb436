"""TorchServe in a pod: its Java process, and a program beside it that watches the workers."""

from collections.abc import Mapping, Sequence

from slipway import torchserve
from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import Upstream
from slipway.pods.placement import gpus
from slipway.serving.children import names
from slipway.serving.children.pod.in_force import in_force, queue_size
from slipway.serving.children.pod.runtimes.archives import ArchiveServer, place
from slipway.serving.children.pod.runtimes.threads import threads_per_worker
from slipway.settings import Settings

PROPERTIES_FILE = "config.properties"
_TEMPLATE = f"{names.CONFIG_DIR}/{PROPERTIES_FILE}"
_PROPERTIES = f"{names.MODELS_DIR}/{PROPERTIES_FILE}"
"""The template, completed with what the archive says."""
WORKER_READY = '"status": "READY"'
"""What TorchServe writes once for each worker that has loaded the model (GET /models/NAME). Its
/ping says "Healthy" with no model loaded at all."""


class TorchServe(ArchiveServer):
    """TorchServe 0.12 with the server image's start script; see `slipway.torchserve`."""

    folders: Mapping[str, str] = {"logs": names.LOGS_DIR}

    def own_image(self, settings: Settings) -> str:
        """Return the release's image, which has all programs."""
        return settings.server_image

    def image(self, deployment: ModelDeployment, settings: Settings) -> str:
        """Return the user's image that stands on the release's, else that."""
        return deployment.spec.server.image or self.own_image(settings)

    def process(self, _deployment: ModelDeployment, _model: ModelStatus) -> dict[str, list[str]]:
        """Return the start script with the configuration's place; no snapshots are written."""
        args = ["-f", _PROPERTIES, "-s", names.MODELS_DIR, "-ncs"]
        return {"command": ["/opt/slipway/torchserve"], "args": args}

    def fetch_arguments(self, _deployment: ModelDeployment, model: ModelStatus) -> Sequence[str]:
        """Return the places of the archive, and of the configuration that it completes."""
        completed = ("--config-template", _TEMPLATE, "--config", _PROPERTIES)
        return ("--dest", place(model), *completed)

    def environment(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return where it may write, the sizes of its processes, and what its watcher needs."""
        server = deployment.spec.server
        longest_body = max(server.max_request_bytes, server.max_response_bytes)
        threads = threads_per_worker(server.resources, server.workers)
        return {
            "TEMP": names.TMP_DIR,
            "USER": "slipway",
            "LOG_LOCATION": names.LOGS_DIR,
            "METRICS_LOCATION": names.LOGS_DIR,
            "JAVA_TOOL_OPTIONS": torchserve.java_options(server.resources, longest_body),
            "OMP_NUM_THREADS": str(threads),
            "SLIPWAY_MAX_RESPONSE_BYTES": str(server.max_response_bytes),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
            "SLIPWAY_MODEL": model.name,
            "SLIPWAY_WORKERS": str(server.workers),
            "SLIPWAY_CONFIG": _PROPERTIES,
            "SLIPWAY_ARCHIVE": place(model),
        }

    def files(self, deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
        """Return its configuration."""
        return {PROPERTIES_FILE: torchserve.config_properties(_config(deployment, model))}

    def upstream(self, deployment: ModelDeployment, model: ModelStatus) -> Upstream:
        """Return its three addresses, and the page of `slipway_pods.serve.deaths`."""
        return Upstream(
            workers=deployment.spec.server.workers,
            predictions=f"/predictions/{model.name}",
            ready_path=f"/models/{model.name}",
            ready_text=WORKER_READY,
            live_path="/ping",
            metrics_path="/metrics",
            deaths_path="/",
            inference_port=8080,
            management_port=8081,
            live_port=8080,
            metrics_port=8082,
            deaths_port=9902,
        )


def _config(deployment: ModelDeployment, model: ModelStatus) -> torchserve.ServerConfig:
    wanted, holds = deployment.spec.server, in_force(deployment, model)
    return torchserve.ServerConfig(
        model=model.name,
        archive=names.archive(model.name),
        workers=wanted.workers,
        queue_size=queue_size(deployment, model),
        response_timeout=holds.response_timeout_seconds,
        startup_timeout=holds.startup_timeout_seconds,
        batch_size=holds.batch_size,
        max_batch_delay=holds.max_batch_delay_milliseconds,
        max_request_bytes=wanted.max_request_bytes,
        max_response_bytes=wanted.max_response_bytes,
        model_store=names.MODELS_DIR,
        gpus=None if deployment.spec.resource_claims else gpus(wanted.resources),
    )
