"""A revision: all that a serving pod is made of, and the hash that names it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from slipway import envoy
from slipway.api import ModelDeployment
from slipway.api.base import ApiModel
from slipway.api.serving.model_status import ModelStatus
from slipway.api.serving.server import RuntimeName, Server
from slipway.plan import Children
from slipway.pods.permitted import violation
from slipway.pods.standard import Level
from slipway.serving.children import names
from slipway.serving.children.pod.configuration import fixed_files, proxy
from slipway.serving.children.pod.template import named, pod_template
from slipway.settings import Settings

HASH_LENGTH = 10
RECORD_FILE = "revision.json"
"""Key of a revision's ConfigMap under which is kept what the spec may not say any more."""


class _Metadata(ApiModel):
    """The metadata of a remembered pod template."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None


class _Selector(ApiModel):
    """Which pods are spread."""

    match_labels: dict[str, str] | None = None


class _Spread(ApiModel):
    """A constraint that spreads a slot's pods."""

    label_selector: _Selector | None = None


class _PodSpec(ApiModel):
    """As much of a remembered pod's spec as is read again."""

    topology_spread_constraints: tuple[_Spread, ...] = ()


class _Template(ApiModel):
    """A remembered pod template, which is used as it stands."""

    metadata: _Metadata
    spec: _PodSpec


class _Record(ApiModel):
    """What a revision's ConfigMap remembers; who may write ConfigMaps may have written it."""

    model: ModelStatus
    server: Server
    template: _Template


@dataclass(frozen=True)
class Revision:
    """What the pods of one revision are made of.

    ``template`` belongs to no slot yet, see `in_slot`. ``files`` are fixed and part of what
    ``name`` stands for. ``proxy`` is what the route file of its Envoys is made from, ``runtime``
    what serves the archive.
    """

    name: str
    model: ModelStatus
    template: dict[str, Any]
    files: dict[str, str]
    proxy: envoy.ProxyConfig
    runtime: RuntimeName


def revision_of(deployment: ModelDeployment, model: ModelStatus, settings: Settings) -> Revision:
    """Return the revision that the spec asks for; equal pods have equal names.

    Raises OverlayError for a spec.podTemplate that breaks the pod.
    """
    files = fixed_files(deployment, model, settings)
    nameless = pod_template(deployment, model, settings, "", "")
    name = hash_of({"template": nameless, "files": files})
    template = named(nameless, deployment, name)
    record = _record(deployment, model, template)
    return Revision(
        name=name,
        model=model,
        template=template,
        files={**files, RECORD_FILE: record},
        proxy=proxy(deployment, model, name),
        runtime=deployment.spec.server.runtime,
    )


def in_slot(template: dict[str, Any], track: str) -> dict[str, Any]:
    """Return a revision's template for the pods of one slot."""
    meta, spec = template["metadata"], template["spec"]
    labels = {**meta["labels"], names.TRACK: track}
    spread = [
        _spread_in(constraint, track) for constraint in spec.get("topologySpreadConstraints", ())
    ]
    return {
        **template,
        "metadata": {**meta, "labels": labels},
        "spec": {**spec, "topologySpreadConstraints": spread},
    }


def _spread_in(constraint: dict[str, Any], track: str) -> dict[str, Any]:
    """Return a constraint of a slot's pods; one of another shape is left to the API server."""
    selector = constraint.get("labelSelector")
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not isinstance(labels, dict) or names.TRACK not in labels:
        return constraint
    return {**constraint, "labelSelector": {"matchLabels": {**labels, names.TRACK: track}}}


def recorded(
    deployment: ModelDeployment, children: Children, name: str | None, level: Level
) -> Revision | None:
    """Return a revision as its ConfigMap remembers it, or None where nothing does.

    So what serves can be made again, and its traffic moved, when the spec already says otherwise.
    A namespace's users may write ConfigMaps: what is no record, or asks for more than the Pod
    Security ``level`` allows, is not made again.
    """
    kept = _remembered(deployment, children, name, level) if name else None
    if kept is None or isinstance(kept, str):
        return None
    record, template, files = kept
    spec = deployment.spec.model_copy(update={"server": record.server})
    then = deployment.model_copy(update={"spec": spec})
    config = proxy(then, record.model, str(name))
    return Revision(str(name), record.model, template, files, config, record.server.runtime)


def refused_record(
    deployment: ModelDeployment, children: Children, name: str, level: Level
) -> str | None:
    """Return why a revision is not made again as its ConfigMap has it; None where it is, or none.

    One of release 0.1.0 has no record.
    """
    kept = _remembered(deployment, children, name, level)
    return kept if isinstance(kept, str) else None


def _remembered(
    deployment: ModelDeployment, children: Children, name: str, level: Level
) -> tuple[_Record, dict[str, Any], dict[str, str]] | str | None:
    """Return a revision's record, its pod template and its files as its ConfigMap has them.

    That is why they are refused, where they are, and None where there is no record.
    """
    files = kept_files(deployment, children, name)
    if RECORD_FILE not in files:
        return None
    config_map = names.config_map(deployment, name)
    try:
        content = json.loads(files[RECORD_FILE])
        record = _Record.model_validate(content)
    except (ValueError, RecursionError):
        return f"The ConfigMap {config_map} is no record of revision {name} any more."
    template: dict[str, Any] = content["template"]
    breach = violation(template, level)
    if breach is not None:
        return (
            f"Revision {name} is not made again: {breach.path} in the ConfigMap {config_map} asks "
            f"for more than the Pod Security level {level} allows."
        )
    return record, template, files


def kept_files(deployment: ModelDeployment, children: Children, name: str) -> dict[str, str]:
    """Return what is in a revision's immutable ConfigMap; empty where there is none."""
    namespace, config_map = deployment.metadata.namespace, names.config_map(deployment, name)
    live = children.get("v1", "ConfigMap", namespace, config_map)
    return (live or {}).get("data") or {}


def _record(deployment: ModelDeployment, model: ModelStatus, template: dict[str, Any]) -> str:
    server = _without_variables(deployment.spec.server)
    record = {"model": model.to_wire(), "server": server.to_wire(), "template": template}
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def _without_variables(server: Server) -> Server:
    """Return a server's settings without what the remembered template has anyway."""
    bare: dict[str, Any] = {"env": [], "env_from": []}
    if server.container is not None:
        bare["container"] = server.container.model_copy(update=bare)
    return server.model_copy(update=bare)


def hash_of(content: dict[str, Any]) -> str:
    """Return 10 hexadecimal digits of the SHA-256 of a JSON document."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
