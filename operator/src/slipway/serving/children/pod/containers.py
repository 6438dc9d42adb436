"""The containers of a serving pod: fetch (init), Envoy (native sidecar), the server (main)."""

from typing import Any

from slipway import envoy as proxy
from slipway.api import ModelDeployment
from slipway.api.common import ResourceRequirements
from slipway.api.serving.model_status import ModelStatus
from slipway.manifests import container_security, escaped, mount, pod_command
from slipway.opened import Opened, place
from slipway.pods.placement import with_claims
from slipway.pods.resources import resources as added
from slipway.pods.resources import room, size
from slipway.serving.children import names
from slipway.serving.children.pod import runtimes, trust
from slipway.serving.children.pod.configuration import drain_token, proxy_resources
from slipway.serving.children.pod.in_force import (
    in_force,
    longest_response,
    longest_startup,
    one_more_answer,
)
from slipway.settings import Settings

SCRATCH = {"HOME": names.TMP_DIR, "TMPDIR": names.TMP_DIR}
"""Where programs write what nobody needs later: the root file system is read-only."""

SERVER_REQUESTS = {"cpu": "500m", "memory": "1Gi"}
"""What the server asks for where the user says neither a request nor a limit; the autoscaler needs
a CPU request to compare with."""

ENVOY_THREADS = 1
"""One thread answers many thousand requests a second, more than the server ever does; a second one
costs a third more processor time for each."""
STARTUP_MARGIN_SECONDS = 30
"""How much later than the pod's own watcher, which says why, the kubelet ends a slow start."""
DRAIN = ["python3", "-P", "-m", "slipway_runtime.drain"]
"""The preStop hook. It runs in the image that ``spec.server.image`` names, which may stand on the
server image of another release: so its module has the path that it had in release 0.2.0."""


def fetch(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> dict[str, Any]:
    """Return the container that brings the model; only it gets the store's credentials.

    Python's isolated mode and a folder of its own keep it from ever running what a model left
    behind.
    """
    access, keys = opened(deployment, model, settings), trust.keys(deployment, model, settings)
    limit = size("model", settings, deployment.spec.server.volume_sizes.model)
    command = [
        *("--uri", model.uri, "--sha256", model.sha256),
        *runtimes.of(deployment).fetch_arguments(deployment, model),
        *trust.arguments(deployment, model, settings),
    ]
    return {
        **container(names.FETCH, runtimes.of(deployment).own_image(settings), settings),
        "command": pod_command("serve.fetch"),
        "args": [escaped(each) for each in command],
        "env": [*pairs({**SCRATCH, **room({names.MODELS_DIR: limit})}), *access.env],
        "resources": added("fetch", settings, deployment.spec.server.fetch.resources),
        "volumeMounts": [
            mount("models", names.MODELS_DIR),
            mount("config", names.CONFIG_DIR, read_only=True),
            mount("fetch-tmp", names.TMP_DIR),
            *access.mounts,
            *(mounted for key in keys for mounted in key.mounts),
        ],
    }


def opened(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> Opened:
    """Return what opens the archive's place."""
    return place(model.uri, deployment.spec.model.credentials_secret_name, settings.store)


def credentials_secret(
    deployment: ModelDeployment, model: ModelStatus, settings: Settings
) -> str | None:
    """Return the Secret with the credentials for the archive; None where it takes none."""
    given = deployment.spec.model.credentials_secret_name
    if given:
        return given
    return settings.store.secret_name if model.uri.startswith("s3://") else None


def envoy(deployment: ModelDeployment, settings: Settings) -> dict[str, Any]:
    """Return the sidecar that is the pod's only door, and knows whether the pod is ready.

    As a native sidecar it starts before the server and is stopped after it.
    """
    config = f"{names.CONFIG_DIR}/{names.ENVOY_FILE}"
    flags = ["--concurrency", str(ENVOY_THREADS), "--disable-hot-restart", "--log-level", "warning"]
    return {
        **container(names.ENVOY, runtimes.of(deployment).own_image(settings), settings),
        "restartPolicy": "Always",
        "command": ["envoy"],
        "args": ["-c", config, *flags],
        "ports": [
            {"name": "http", "containerPort": names.HTTP_PORT, "protocol": "TCP"},
            {"name": "ops", "containerPort": names.OPS_PORT, "protocol": "TCP"},
        ],
        "resources": proxy_resources(deployment, settings),
        "startupProbe": probe("/livez", period=1, timeout=5, failures=120),
        "readinessProbe": probe("/readyz", period=2, timeout=5, failures=2),
        "volumeMounts": [
            mount("config", names.CONFIG_DIR, read_only=True),
            mount("routes", names.ROUTES_DIR, read_only=True),
            mount("admin", names.ADMIN_DIR),
        ],
    }


def server(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> dict[str, Any]:
    """Return the main container.

    It may listen on loopback, so the kubelet asks Envoy: it has started once it takes requests, and
    is alive while it answers within a minute. That needs no worker, so a slow model is never
    killed; it fails when the server has given up starting a worker again.
    """
    wanted, runtime = deployment.spec.server, runtimes.of(deployment)
    patience = longest_startup(deployment, model) + STARTUP_MARGIN_SECONDS
    given = runtime.variables(deployment)
    return {
        **container(names.MAIN, runtime.image(deployment, settings), settings),
        **runtime.process(deployment, model),
        **given,
        "env": _server_env(deployment, model, given["env"]),
        "resources": with_claims(resources(wanted.resources), deployment.spec),
        "startupProbe": probe("/readyz", period=1, timeout=5, failures=patience),
        **_liveness(deployment, model),
        "lifecycle": {"preStop": _drain_hook(deployment)},
        "volumeMounts": [
            runtime.mount(deployment),
            *(mount(name, path) for name, path in runtime.folders.items()),
            mount("tmp", names.TMP_DIR),
            mount("shm", "/dev/shm"),  # noqa: S108 - bounded by the memory limit, not by 64 MiB
            *(smoke_mounts(deployment) if runtime.has_hooks else ()),
        ],
    }


def _liveness(deployment: ModelDeployment, model: ModelStatus) -> dict[str, Any]:
    """Return the probe of a server's life; none where nothing is known that tells of it."""
    if runtimes.of(deployment).upstream(deployment, model).live_path is None:
        return {}
    return {"livenessProbe": probe(proxy.SERVER_LIVE_PATH, period=10, timeout=10, failures=6)}


def _drain_hook(deployment: ModelDeployment) -> dict[str, Any]:
    """Return the preStop hook, which lasts until no client needs the pod any more."""
    if runtimes.of(deployment).has_hooks:
        return {"exec": {"command": DRAIN}}
    opens = {"name": proxy.DRAIN_HEADER, "value": drain_token(deployment)}
    return {
        "httpGet": {"path": proxy.DRAIN_PATH, "port": names.OPS_PORT, "httpHeaders": [opens]},
    }


def smoke_mounts(deployment: ModelDeployment) -> list[dict[str, Any]]:
    """Return the mount of the smoke test's file, where there is a test."""
    if deployment.spec.rollout.smoke is None:
        return []
    return [mount("config", names.CONFIG_DIR, read_only=True)]


def resources(given: ResourceRequirements) -> dict[str, Any]:
    """Return the server's resources: the user's, with a request for CPU and for memory.

    Kubernetes takes a limit as the request where there is none.
    """
    default = {name: value for name, value in SERVER_REQUESTS.items() if name not in given.limits}
    whole: dict[str, Any] = {"requests": {**default, **given.requests}}
    return {**whole, "limits": dict(given.limits)} if given.limits else whole


def _server_env(
    deployment: ModelDeployment, model: ModelStatus, user: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the server's variables: ours, then the user's, which replace ours of that name."""
    runtime = runtimes.of(deployment)
    own = {
        **SCRATCH,
        **runtime.environment(deployment, model),
        **(hook_variables(deployment, model) if runtime.has_hooks else {}),
    }
    taken = {variable["name"] for variable in user}
    return pairs({name: value for name, value in own.items() if name not in taken}) + user


def hook_variables(deployment: ModelDeployment, model: ModelStatus) -> dict[str, str]:
    """Return the variables of the programs that drain the pod and test the model."""
    own = {
        "SLIPWAY_DRAIN_SECONDS": str(deployment.spec.server.drain_seconds),
        "SLIPWAY_DRAIN_ANSWER_SECONDS": str(one_more_answer(deployment, model)),
    }
    if deployment.spec.rollout.smoke is not None:
        own["SLIPWAY_SMOKE_TEST"] = f"{names.CONFIG_DIR}/{names.SMOKE_FILE}"
        own["SLIPWAY_RESPONSE_SECONDS"] = str(longest_response(deployment, model))
    startup = in_force(deployment, model).startup_timeout_seconds
    if startup is not None:
        own["SLIPWAY_STARTUP_SECONDS"] = str(startup)
    return own


def container(name: str, image: str, settings: Settings) -> dict[str, Any]:
    """Return what all containers have."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": settings.image_pull_policy,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
    }


def probe(path: str, *, period: int, timeout: int, failures: int) -> dict[str, Any]:
    """Return a probe of Envoy's ops port; times in seconds."""
    return {
        "httpGet": {"path": path, "port": names.OPS_PORT},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def pairs(variables: dict[str, str]) -> list[dict[str, Any]]:
    """Return variables as a container has them."""
    return [{"name": name, "value": value} for name, value in variables.items()]
