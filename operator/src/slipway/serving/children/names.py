"""Names, labels, ports and paths of a ModelDeployment's children."""

from slipway.api import ModelDeployment
from slipway.api.fields.own_pieces import SERVING_POD
from slipway.manifests import COMPONENT, MODEL_DEPLOYMENT, REVISION, labels

SERVER = "server"
"""Value of the component label of serving pods."""
TRACK = "slipway.dev/track"
"""Label that keeps the pods of an object's two Deployments apart: the name of their slot."""

FETCH, ENVOY, MAIN = "fetch", "envoy", SERVING_POD.main
"""Names of the containers. The main one has its name whatever the runtime: overlays, autoscalers
and dashboards know it by that."""
HOOKS = "slipway-hooks"
"""The container that drains a pod whose server has no program for that."""
OWN_CONTAINERS = (FETCH, ENVOY, HOOKS, MAIN)

HTTP_PORT = 8000
OPS_PORT = 9000

CONFIG_DIR = "/slipway/config"
ROUTES_DIR = "/slipway/routes"
MODELS_DIR = "/slipway/models"
MODEL_FOLDER = "model"
"""Folder in the volume of models where a server of the user's own finds one."""
LOGS_DIR = "/slipway/logs"
ADMIN_DIR = "/slipway/admin"
"""A folder of Envoy's alone: who reaches the socket in it commands Envoy."""
TMP_DIR = "/tmp"  # noqa: S108 - an emptyDir of the pod

ENVOY_FILE = "envoy.yaml"
ADMIN_SOCKET = "envoy.sock"
ROUTES_FILE = "routes.yaml"
SMOKE_FILE = "smoke.json"


def archive(model: str) -> str:
    """Return the file name, in the pod, of the archive that serves under a name."""
    return f"{model}.mar"


def config_map(deployment: ModelDeployment, revision: str) -> str:
    """Return the name of a revision's immutable ConfigMap."""
    return f"{deployment.metadata.name}-{revision}"


def routes_config_map(deployment: ModelDeployment, revision: str) -> str:
    """Return the name of the ConfigMap with the routes of a revision's Envoys.

    It is one for each revision, since a route file fits the Envoys that it was made for: a pod of
    an older revision must not be told of a model that it does not have.
    """
    return f"{deployment.metadata.name}-{revision}-routes"


def workload(deployment: ModelDeployment, slot: str) -> str:
    """Return the name of a slot's Deployment."""
    name = deployment.metadata.name
    return name if slot == "blue" else f"{name}-{slot}"


def slot_service(deployment: ModelDeployment, slot: str) -> str:
    """Return the name of the Service that leads to a slot while a rollout lives."""
    return f"{deployment.metadata.name}-{slot}"


def preview_service(deployment: ModelDeployment) -> str:
    """Return the name of the Service that leads to a revision before its promotion."""
    return f"{deployment.metadata.name}-preview"


def selector(deployment: ModelDeployment, track: str) -> dict[str, str]:
    """Return the labels that select the pods of a track, whatever their revision."""
    return {MODEL_DEPLOYMENT: deployment.metadata.name, COMPONENT: SERVER, TRACK: track}


def selector_text(deployment: ModelDeployment, track: str) -> str:
    """Return the selector in the form that the scale subresource shows."""
    pairs = selector(deployment, track).items()
    return ",".join(f"{key}={value}" for key, value in sorted(pairs))


def pod_labels(deployment: ModelDeployment, revision: str, track: str) -> dict[str, str]:
    """Return the labels of the pods of a revision."""
    return {**labels(deployment, SERVER), TRACK: track, REVISION: revision}


def url(deployment: ModelDeployment) -> str:
    """Return where predictions are asked for inside the cluster."""
    meta, port = deployment.metadata, deployment.spec.expose.service.port
    host = f"{meta.name}.{meta.namespace}.svc"
    return f"http://{host}/predict" if port == 80 else f"http://{host}:{port}/predict"
