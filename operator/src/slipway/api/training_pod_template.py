"""The overlay that a user lays over the training pods."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel, rules

OWN_CONTAINERS = ("agent", "source", "trainer")
"""Names of the operator's containers in a training pod; more begin with ``input-``."""
OWN_VOLUMES = ("source", "run", "output", "tmp", "agent-tmp", "fetch-tmp", "shm")
"""Names of the operator's volumes; more begin with ``input-`` or ``slipway-``."""
PRIVATE_VOLUMES = ("agent-tmp", "fetch-tmp")
"""Those that no container of the user's may mount; more begin with ``slipway-``."""
OWN_FOLDER = "/slipway"
"""Beneath it the operator mounts what the container trainer needs."""
MOUNT_MESSAGE = (
    "remove the mount from podTemplate: volumes named slipway-*, agent-tmp and fetch-tmp are the "
    "operator's own"
)
FOLDER_MESSAGE = (
    "choose another mountPath than in /slipway, where the operator mounts what the container "
    "trainer needs"
)

_TEXT = {"type": "string", "maxLength": 4096}
_OPEN = {"x-kubernetes-preserve-unknown-fields": True}
_MESSAGES = {
    "restartPolicy": "remove podTemplate.spec.restartPolicy: the Job decides on new pods",
    "subdomain": "remove podTemplate.spec.subdomain: the pods' DNS names are made from it",
    "hostname": "remove podTemplate.spec.hostname: the pods' DNS names are made from it",
    "shareProcessNamespace": "remove podTemplate.spec.shareProcessNamespace: the script could "
    "read the store's credentials in the agent",
    "hostPID": "remove podTemplate.spec.hostPID: the script could read the store's credentials in "
    "the agent",
    "activeDeadlineSeconds": "write spec.activeDeadlineSeconds instead of "
    "podTemplate.spec.activeDeadlineSeconds",
    "runtimeClassName": "write spec.runtimeClassName instead of podTemplate.spec.runtimeClassName",
    "priorityClassName": "write spec.priorityClassName instead of "
    "podTemplate.spec.priorityClassName",
}
_TRAINER = {
    "image": "write spec.image instead of an image of the container trainer in podTemplate",
    "command": "write spec.command instead of a command of the container trainer in podTemplate",
    "args": "write spec.args instead of arguments of the container trainer in podTemplate",
    "env": "write spec.env instead of variables of the container trainer in podTemplate",
    "resources": "write spec.resources instead of resources of the container trainer in "
    "podTemplate",
}


def _own(name: str) -> str:
    names = ", ".join(f"'{one}'" for one in OWN_CONTAINERS)
    return f"({name} in [{names}] || {name}.startsWith('input-'))"


def _named(description: str, longest: int, **properties: Any) -> dict[str, Any]:
    """Return a list of things with names, which may have more fields than are spelt out here."""
    item = {
        "type": "object",
        "description": description,
        "required": ["name"],
        "properties": {"name": {**_TEXT, "description": "Its name."}, **properties},
        **_OPEN,
    }
    return {"type": "array", "maxItems": longest, "description": description, "items": item}


def _field(name: str) -> dict[str, Any]:
    described = {"description": f"Not to be written here: {_MESSAGES[name].split(':')[0]}."}
    if name in ("hostPID", "shareProcessNamespace"):
        return {"type": "boolean", **described}
    if name == "activeDeadlineSeconds":
        return {"type": "integer", "minimum": 0, "maximum": 2**31, **described}
    return {**_TEXT, **described}


def _trainer_field(name: str) -> dict[str, Any]:
    described = {"description": "Not for the container trainer."}
    if name == "image":
        return {**_TEXT, **described}
    if name == "resources":
        return {"type": "object", **described, **_OPEN}
    item = {"type": "object", **_OPEN} if name == "env" else _TEXT
    return {"type": "array", "maxItems": 128, "items": item, **described}


def _mounts() -> dict[str, Any]:
    """Return the mounts of a container."""
    told = {
        "name": {"type": "string", "maxLength": 63, "description": "Name of the volume."},
        "mountPath": {"type": "string", "maxLength": 1024, "description": "Where it is seen."},
    }
    item = {
        "type": "object",
        "description": "A mount, as a Pod has it.",
        "required": ["name", "mountPath"],
        "properties": told,
        **_OPEN,
    }
    described = {"description": "Mounts, of volumes that are not only the operator's."}
    return {"type": "array", "maxItems": 64, **described, "items": item}


def _no_mount(kind: str, container: str, forbidden: str) -> str:
    """Return the rule that no container of a kind has a mount of which something is true."""
    mounts = f"c.volumeMounts.exists(m, {forbidden})"
    return (
        f"!has(self.{kind}) || !self.{kind}.exists(c, {container}has(c.volumeMounts) && {mounts})"
    )


_PRIVATE = ", ".join(f"'{name}'" for name in PRIVATE_VOLUMES)
_PRIVATE_MOUNT = f"m.name.startsWith('slipway-') || m.name in [{_PRIVATE}]"
_VOLUMES = ", ".join(f"'{name}'" for name in OWN_VOLUMES)
_SPEC_RULES = (
    *((f"!has(self.{name})", message) for name, message in _MESSAGES.items()),
    *(
        (
            "!has(self.containers) || !self.containers.exists(c, c.name == 'trainer' && "
            f"has(c.{name}))",
            message,
        )
        for name, message in _TRAINER.items()
    ),
    (
        f"!has(self.containers) || !self.containers.exists(c, {_own('c.name')} && "
        "c.name != 'trainer')",
        "choose other names for podTemplate's containers: agent, source and input-* are the "
        "operator's own",
    ),
    (
        f"!has(self.initContainers) || !self.initContainers.exists(c, {_own('c.name')})",
        "choose other names for podTemplate's initContainers: agent, source, trainer and input-* "
        "are the operator's own",
    ),
    (
        f"!has(self.volumes) || !self.volumes.exists(v, v.name in [{_VOLUMES}] || "
        "v.name.startsWith('input-') || v.name.startsWith('slipway-'))",
        "choose other names for podTemplate's volumes: "
        f"{', '.join(OWN_VOLUMES)}, input-* and slipway-* are the operator's own",
    ),
    *(
        (_no_mount(kind, "", _PRIVATE_MOUNT), MOUNT_MESSAGE)
        for kind in ("containers", "initContainers")
    ),
    (
        _no_mount(
            "containers", "c.name == 'trainer' && ", "m.mountPath.matches('^/*slipway(/|$)')"
        ),
        FOLDER_MESSAGE,
    ),
)

PodSpec = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "containers": _named(
                    "Containers beside the script's, and additions to the container trainer.",
                    16,
                    volumeMounts=_mounts(),
                    **{name: _trainer_field(name) for name in _TRAINER},
                ),
                "initContainers": _named(
                    "Containers that run first, after the operator's own, and sidecars.",
                    16,
                    volumeMounts=_mounts(),
                ),
                "volumes": _named("More volumes.", 64),
                **{name: _field(name) for name in _MESSAGES},
            },
            **_OPEN,
            **rules(*_SPEC_RULES),
        }
    ),
]

_OWN_KEYS = (
    "self.all(key, !key.startsWith('slipway.dev/') && !key.startsWith('app.kubernetes.io/') && "
    "!key.startsWith('batch.kubernetes.io/'))"
)
_PairMap = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


class PodTemplateMetadata(ApiModel):
    """Labels and annotations to add."""

    labels: Annotated[
        _PairMap,
        Field(
            json_schema_extra=rules(
                (
                    _OWN_KEYS,
                    "choose other labels: slipway.dev/*, app.kubernetes.io/* and "
                    "batch.kubernetes.io/* are the operator's own",
                )
            )
        ),
    ] = Field(default_factory=dict, description="More labels of the training pods.")
    annotations: _PairMap = Field(
        default_factory=dict, description="More annotations of the training pods."
    )


class PodTemplate(ApiModel):
    """A strategic-merge overlay: it may add anything, but not change what the operator sets."""

    metadata: PodTemplateMetadata | None = None
    """Labels and annotations to add."""
    spec: PodSpec = Field(
        default_factory=dict,
        description="A part of a pod's spec: lists with names are merged by them, others extended.",
    )
