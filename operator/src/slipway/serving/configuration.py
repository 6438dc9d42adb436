"""The files of a revision's pods, from what TorchServe's and Envoy's packages make."""

import json

from slipway import envoy, torchserve
from slipway.api import ModelDeployment
from slipway.api.model_deployment import ModelStatus
from slipway.api.smoke import SmokeTest
from slipway.serving import names


def archive_name(model: ModelStatus) -> str:
    """Return the archive's file name in the pod."""
    return f"{model.name}.mar"


def proxy(deployment: ModelDeployment, model: ModelStatus) -> envoy.ProxyConfig:
    """Return the settings of the pods' Envoy."""
    server = deployment.spec.server
    return envoy.ProxyConfig(
        namespace=deployment.metadata.namespace,
        deployment=deployment.metadata.name,
        model=model.name,
        workers=server.workers,
        response_timeout=server.response_timeout_seconds,
        routes_folder=names.ROUTES_DIR,
        routes_file=names.ROUTES_FILE,
        http_port=names.HTTP_PORT,
        ops_port=names.OPS_PORT,
    )


def server(deployment: ModelDeployment, model: ModelStatus) -> torchserve.ServerConfig:
    """Return the settings of the pods' TorchServe."""
    wanted = deployment.spec.server
    return torchserve.ServerConfig(
        model=model.name,
        archive=archive_name(model),
        workers=wanted.workers,
        response_timeout=wanted.response_timeout_seconds,
        startup_timeout=wanted.startup_timeout_seconds,
        batch_size=wanted.batch_size,
        max_batch_delay=wanted.max_batch_delay_milliseconds,
        model_store=names.MODELS_DIR,
    )


def fixed_files(deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
    """Return the files that do not change in a pod's life, by name."""
    smoke = deployment.spec.rollout.smoke
    return {
        names.ENVOY_FILE: envoy.to_text(envoy.bootstrap(proxy(deployment, model))),
        names.PROPERTIES_FILE: torchserve.config_properties(server(deployment, model)),
        **({names.SMOKE_FILE: _smoke_text(smoke)} if smoke else {}),
    }


def _smoke_text(smoke: SmokeTest) -> str:
    """Return the file of `slipway_runtime.smoke`."""
    found = {"request": smoke.request, "tolerance": float(smoke.tolerance or 0)}
    whole = found if smoke.expected is None else {**found, "expected": smoke.expected}
    return json.dumps(whole, sort_keys=True)


def route_files(config: envoy.ProxyConfig, split: envoy.Split = envoy.ALONE) -> dict[str, str]:
    """Return the files that Envoy reads anew when they change, by name."""
    return {names.ROUTES_FILE: envoy.to_text(envoy.route_file(config, split))}
