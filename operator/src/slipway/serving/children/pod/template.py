"""The pod template of a revision."""

from typing import Any

from slipway.api import ModelDeployment
from slipway.api.fields.own_pieces import SERVING_POD
from slipway.api.serving.model_status import ModelStatus
from slipway.manifests import MODEL, REVISION, empty_dir, pod_security, scrape_annotations
from slipway.opened import volumes
from slipway.pods import placement
from slipway.pods.overlay import overlaid
from slipway.pods.resources import shared_memory, size
from slipway.serving.children import names
from slipway.serving.children.pod import containers, runtimes, trust
from slipway.serving.children.pod.hooks import hooks
from slipway.serving.children.pod.in_force import one_more_answer
from slipway.settings import Settings
from slipway.store import store_identity

STOP_MARGIN_SECONDS = 15
SPREAD_OVER = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


def pod_template(
    deployment: ModelDeployment,
    model: ModelStatus,
    settings: Settings,
    revision: str,
    track: str,
) -> dict[str, Any]:
    """Return the template of the pods that serve ``model``; nothing in it depends on replicas.

    ``track`` is empty as long as the pods belong to no slot. Raises OverlayError for a
    spec.podTemplate that breaks the pod.
    """
    keys = trust.keys(deployment, model, settings)
    spec = {
        **pod_security(),
        **store_identity(settings.store),
        "terminationGracePeriodSeconds": grace_seconds(deployment, model),
        "topologySpreadConstraints": [_spread(deployment, key, track) for key in SPREAD_OVER],
        "initContainers": [
            containers.fetch(deployment, model, settings),
            containers.envoy(deployment, settings),
            *hooks(deployment, model, settings),
        ],
        "containers": [containers.server(deployment, model, settings)],
        "volumes": [
            *_volumes(deployment, revision, settings),
            *volumes([containers.opened(deployment, model, settings)]),
            *(volume for key in keys for volume in key.volumes),
        ],
        **placement.fields(deployment.spec, settings),
    }
    metadata = {
        "labels": {**names.pod_labels(deployment, revision, track), MODEL: model.name},
        "annotations": {
            "kubectl.kubernetes.io/default-container": names.MAIN,
            **scrape_annotations(settings, names.OPS_PORT),
        },
    }
    return overlaid({"metadata": metadata, "spec": spec}, deployment.spec.pod_template, SERVING_POD)


def named(template: dict[str, Any], deployment: ModelDeployment, revision: str) -> dict[str, Any]:
    """Return a template that was made for no revision as that of a revision."""
    meta, spec = template["metadata"], template["spec"]
    labels = {**meta["labels"], REVISION: revision}
    config_maps = _config_maps(deployment, revision)
    return {
        **template,
        "metadata": {**meta, "labels": labels},
        "spec": {**spec, "volumes": [_renamed(one, config_maps) for one in spec["volumes"]]},
    }


def _renamed(volume: dict[str, Any], config_maps: dict[str, str]) -> dict[str, Any]:
    name = config_maps.get(volume["name"])
    return {**volume, "configMap": {"name": name}} if name else volume


def _config_maps(deployment: ModelDeployment, revision: str) -> dict[str, str]:
    """Return the names of a revision's ConfigMaps, by those of their volumes."""
    return {
        "config": names.config_map(deployment, revision),
        "routes": names.routes_config_map(deployment, revision),
    }


def grace_seconds(deployment: ModelDeployment, model: ModelStatus) -> int:
    """Return how long a pod may take to stop: to drain, and then for one more answer."""
    answer = one_more_answer(deployment, model)
    return deployment.spec.server.drain_seconds + answer + STOP_MARGIN_SECONDS


def _spread(deployment: ModelDeployment, key: str, track: str) -> dict[str, Any]:
    """Return the wish, not the demand, that a revision's pods lie on different nodes."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": names.selector(deployment, track)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _volumes(
    deployment: ModelDeployment, revision: str, settings: Settings
) -> list[dict[str, Any]]:
    files, sizes = _config_maps(deployment, revision), deployment.spec.server.volume_sizes
    scratch = size("scratch", settings, sizes.scratch)
    limits = {
        "models": size("model", settings, sizes.model),
        **{name: size("logs", settings, sizes.logs) for name in runtimes.of(deployment).folders},
        "tmp": scratch,
        "fetch-tmp": scratch,
        "admin": size("admin", settings),
    }
    return [
        *({"name": name, "configMap": {"name": files[name]}} for name in files),
        *(empty_dir(name, limit) for name, limit in limits.items()),
        shared_memory(deployment.spec.shared_memory, deployment.spec.server.resources),
    ]
