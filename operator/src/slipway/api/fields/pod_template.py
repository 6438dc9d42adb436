"""The overlay that a user lays over the pods of a kind."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from slipway.api.base import ApiModel, rules
from slipway.api.fields.own_pieces import SERVING_POD, TRAINING_POD, OwnPieces, in_words

_TEXT = {"type": "string", "maxLength": 4096}
_OPEN = {"x-kubernetes-preserve-unknown-fields": True}
_NOT_HERE = ("image", "command", "args", "env", "resources")
"""Fields of the main container that the kind's own spec has."""
_FLAGS = ("hostPID", "shareProcessNamespace")
_JOB = {
    "subdomain": "remove podTemplate.spec.subdomain: the pods' DNS names are made from it",
    "hostname": "remove podTemplate.spec.hostname: the pods' DNS names are made from it",
    "activeDeadlineSeconds": "write spec.activeDeadlineSeconds instead of "
    "podTemplate.spec.activeDeadlineSeconds",
}


def _messages(own: OwnPieces) -> dict[str, str]:
    """Return what to do instead of writing each of the fields that no overlay may have."""
    reads = "a container of the user's could read the store's credentials in the operator's"
    return {
        "restartPolicy": "remove podTemplate.spec.restartPolicy: the pods' owner decides on it",
        **{name: f"remove podTemplate.spec.{name}: {reads}" for name in _FLAGS},
        **{
            name: f"write spec.{name} instead of podTemplate.spec.{name}"
            for name in ("runtimeClassName", "priorityClassName")
        },
        **(_JOB if own is TRAINING_POD else {}),
    }


def _main_messages(own: OwnPieces) -> dict[str, str]:
    if own is TRAINING_POD:
        instead = {name: f"write spec.{name}" for name in _NOT_HERE}
    else:
        own_server = "write {}.container.{} (server.runtime: Container), or nothing"
        instead = {
            **{name: f"write {own.where}.{name}" for name in ("image", "env", "resources")},
            **{name: own_server.format(own.where, name) for name in ("command", "args")},
        }
    tail = f"of the container {own.main} in podTemplate"
    return {name: f"{text} instead of {name} {tail}" for name, text in instead.items()}


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _is_own(own: OwnPieces, name: str) -> str:
    """Return the CEL expression that a name is one of the operator's containers."""
    begins = "".join(f" || {name}.startsWith('{prefix}')" for prefix in own.prefixes)
    return f"({name} in [{_quoted(own.containers)}]{begins})"


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


def _field(name: str, message: str) -> dict[str, Any]:
    described = {"description": f"Not to be written here: {message.split(':')[0]}."}
    if name in _FLAGS:
        return {"type": "boolean", **described}
    if name == "activeDeadlineSeconds":
        return {"type": "integer", "minimum": 0, "maximum": 2**31, **described}
    return {**_TEXT, **described}


def _main_field(own: OwnPieces, name: str) -> dict[str, Any]:
    described = {"description": f"Not for the container {own.main}."}
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


def _rules(own: OwnPieces) -> tuple[tuple[str, str], ...]:
    stars = tuple(f"{prefix}*" for prefix in own.prefixes)
    others = tuple(name for name in own.containers if name != own.main)
    volumes = (*own.volumes, *stars, "slipway-*")
    begins = "".join(f" || v.name.startsWith('{prefix}')" for prefix in own.prefixes)
    private = f"m.name.startsWith('slipway-') || m.name in [{_quoted(own.private)}]"
    ours = "are the operator's own"
    return (
        *((f"!has(self.{name})", message) for name, message in _messages(own).items()),
        *(
            (
                f"!has(self.containers) || !self.containers.exists(c, c.name == '{own.main}' && "
                f"has(c.{name}))",
                message,
            )
            for name, message in _main_messages(own).items()
        ),
        (
            f"!has(self.containers) || !self.containers.exists(c, {_is_own(own, 'c.name')} && "
            f"c.name != '{own.main}')",
            f"choose other names for podTemplate's containers: {in_words(*others, *stars)} {ours}",
        ),
        (
            "!has(self.initContainers) || "
            f"!self.initContainers.exists(c, {_is_own(own, 'c.name')})",
            "choose other names for podTemplate's initContainers: "
            f"{in_words(*own.containers, *stars)} {ours}",
        ),
        (
            f"!has(self.volumes) || !self.volumes.exists(v, v.name in [{_quoted(own.volumes)}]"
            f"{begins} || v.name.startsWith('slipway-'))",
            f"choose other names for podTemplate's volumes: {in_words(*volumes)} {ours}",
        ),
        *(
            (_no_mount(kind, "", private), own.mount_message)
            for kind in ("containers", "initContainers")
        ),
        (
            _no_mount(
                "containers",
                f"c.name == '{own.main}' && ",
                "m.mountPath.matches('^/*slipway(/|$)')",
            ),
            own.folder_message,
        ),
    )


def _schema(own: OwnPieces) -> dict[str, Any]:
    """Return the schema of a part of a pod's spec, with the rules of what it must not say."""
    return {
        "type": "object",
        "properties": {
            "containers": _named(
                f"Containers beside the container {own.main}, and additions to it.",
                16,
                volumeMounts=_mounts(),
                **{name: _main_field(own, name) for name in _NOT_HERE},
            ),
            "initContainers": _named(
                "Containers that run first, after the operator's own, and sidecars.",
                16,
                volumeMounts=_mounts(),
            ),
            "volumes": _named("More volumes.", 64),
            **{name: _field(name, message) for name, message in _messages(own).items()},
        },
        **_OPEN,
        **rules(*_rules(own)),
    }


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
    ] = Field(default_factory=dict, description="More labels of the pods.")
    annotations: _PairMap = Field(default_factory=dict, description="More annotations of the pods.")


class PodTemplate(ApiModel):
    """A strategic-merge overlay: it may add anything, but not change what the operator sets."""

    metadata: PodTemplateMetadata | None = None
    """Labels and annotations to add."""
    spec: Annotated[dict[str, Any], WithJsonSchema(_schema(TRAINING_POD))] = Field(
        default_factory=dict,
        description="A part of a pod's spec: lists with names are merged by them, others extended.",
    )


class ServerPodTemplate(PodTemplate):
    """A strategic-merge overlay: it may add anything, but not change what the operator sets."""

    spec: Annotated[dict[str, Any], WithJsonSchema(_schema(SERVING_POD))] = Field(
        default_factory=dict,
        description="A part of a pod's spec: lists with names are merged by them, others extended.",
    )
