"""TorchServe's config.properties.

Keys: org.pytorch.serve.util.ConfigManager of TorchServe 0.12. The model is loaded by
``model_snapshot`` and not by ``load_models``, for two reasons. With ``load_models`` a
model-config.yaml inside the archive wins over everything that is configured here, so that another
number of workers could run than readiness counts; a snapshot's values win over the archive's
(Model.setModelState). And a snapshot gives the model the name it is served under, whatever the
archive's own is.
"""

import json
from dataclasses import dataclass
from typing import Any

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ServerConfig:
    """How one pod's TorchServe serves its one model; times are in seconds.

    ``response_timeout``, ``startup_timeout``, ``batch_size`` and ``max_batch_delay`` (milliseconds)
    are None where the archive's own model-config.yaml is to decide. Beyond ``queue_size`` requests
    that wait TorchServe refuses; the archive's own jobQueueSize wins. ``gpus`` is how many the
    workers use, none of them where it is 0; None takes what TorchServe finds, as devices that are
    claimed have no count. ``archive`` is a file's name within ``model_store``.
    """

    model: str
    archive: str
    workers: int
    queue_size: int = 100
    response_timeout: int | None = None
    startup_timeout: int | None = None
    gpus: int | None = None
    batch_size: int | None = None
    max_batch_delay: int | None = None
    max_request_bytes: int = 6_553_500
    max_response_bytes: int = 6_553_500
    model_store: str = "/slipway/models"
    inference_port: int = 8080
    management_port: int = 8081
    metrics_port: int = 8082


def config_properties(config: ServerConfig) -> str:
    """Return the text of config.properties, one ``key=value`` a line, sorted.

    What is None the snapshot lacks: whoever has the archive fills it in, since TorchServe refuses a
    snapshot without.
    """
    values = {
        **_network(config),
        **_safety(),
        **_work(config),
        **_devices(config),
        "model_snapshot": _snapshot(config),
    }
    return "".join(f"{key}={values[key]}\n" for key in sorted(values))


def _network(config: ServerConfig) -> dict[str, str]:
    """Return addresses that nobody outside the pod can reach; Envoy is the only door."""
    return {
        "inference_address": f"http://{LOOPBACK}:{config.inference_port}",
        "management_address": f"http://{LOOPBACK}:{config.management_port}",
        "metrics_address": f"http://{LOOPBACK}:{config.metrics_port}",
        "grpc_inference_address": LOOPBACK,
        "grpc_management_address": LOOPBACK,
    }


def _safety() -> dict[str, str]:
    """Return what keeps the server as it was configured: no API, URL or variable changes it.

    ``allowed_urls`` is a regular expression that no URL matches. Token authorization makes keys
    that differ in each pod and expire, so it is of no use behind a Service.
    """
    return {
        "allowed_urls": "none",
        "disable_token_authorization": "true",
        "enable_envvars_config": "false",
        "enable_model_api": "false",
        "install_py_dep_per_model": "true",
    }


def _work(config: ServerConfig) -> dict[str, str]:
    """Return how requests are worked on.

    System metrics are off: TorchServe collects them by starting a Python process every minute,
    and the kubelet knows them.
    """
    return {
        "default_workers_per_model": str(config.workers),
        "disable_system_metrics": "true",
        "job_queue_size": str(config.queue_size),
        "max_request_size": str(config.max_request_bytes),
        "max_response_size": str(config.max_response_bytes),
        "metrics_mode": "prometheus",
        "model_metrics_auto_detect": "true",
        "model_store": config.model_store,
        "netty_client_threads": str(min(config.workers, 8)),
        "number_of_netty_threads": "4",
    }


def _devices(config: ServerConfig) -> dict[str, str]:
    """Return how many GPUs there are for workers: the pod's own, whatever the node has.

    Source: https://pytorch.org/serve/configuration.html, number_of_gpu
    """
    return {} if config.gpus is None else {"number_of_gpu": str(config.gpus)}


def _snapshot(config: ServerConfig) -> str:
    """Return the models to load, as org.pytorch.serve.servingsdk.snapshot.Snapshot in JSON.

    The version's key is not read: the archive says which version it is.
    """
    entry: dict[str, Any] = {
        "defaultVersion": True,
        "marName": config.archive,
        "minWorkers": config.workers,
        "maxWorkers": config.workers,
        "responseTimeout": config.response_timeout,
        "startupTimeout": config.startup_timeout,
        "batchSize": config.batch_size,
        "maxBatchDelay": config.max_batch_delay,
    }
    known = {key: value for key, value in entry.items() if value is not None}
    models = {config.model: {"default": known}}
    return json.dumps({"name": "slipway", "modelCount": 1, "models": models})
