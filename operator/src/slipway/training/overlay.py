"""Laying a user's pod template over the operator's: a strategic merge that only adds.

Lists of named things are merged by their names, as the API server's strategic merge patch does for
these fields; other lists are extended. A value that the operator set cannot be changed, but for the
few that are the user's business.
Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from slipway.api.training_pod_template import (
    FOLDER_MESSAGE,
    MOUNT_MESSAGE,
    OWN_CONTAINERS,
    OWN_FOLDER,
    PRIVATE_VOLUMES,
)
from slipway.training import names

KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "resourceClaims": "name",
    "claims": "name",
    "imagePullSecrets": "name",
    "schedulingGates": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
"""The field that tells the items of a list apart, by the list's own name."""

CHANGEABLE = frozenset(
    {
        "automountServiceAccountToken",
        "enableServiceLinks",
        "securityContext.fsGroup",
        "securityContext.fsGroupChangePolicy",
        "securityContext.runAsGroup",
        "securityContext.runAsUser",
        f"containers[{names.TRAINER}].imagePullPolicy",
        f"containers[{names.TRAINER}].securityContext.readOnlyRootFilesystem",
        f"containers[{names.TRAINER}].terminationMessagePolicy",
    }
)
"""What the operator sets only by default."""

WHOLE = frozenset({"command", "args"})
"""Lists that mean something only as a whole: they are not extended."""
METADATA = ("labels", "annotations")

ADDED_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
"""What an added container's securityContext says unless it says something itself."""

Json = Any


class OverlayError(ValueError):
    """The overlay would break the pod; the text is a sentence that says what to remove."""


def merge_metadata(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's metadata with the user's labels and annotations; ours stay."""
    parts = {part: {**overlay.get(part, {}), **base.get(part, {})} for part in METADATA}
    return {part: found for part, found in parts.items() if found}


def merge_pod(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod's spec with a user's overlay laid over it.

    Raises OverlayError where the overlay would change what the operator set, touches a container
    of its own, or has a shape that no pod has.
    """
    _check_own_containers(overlay)
    _check_mounts(overlay)
    merged: dict[str, Any] = _merge(base, dict(overlay))
    own = {one["name"] for one in (*base["containers"], *base["initContainers"])}
    for kind in ("containers", "initContainers"):
        merged[kind] = [_secured(one, own) for one in merged[kind]]
    return merged


def _containers(overlay: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the overlay's containers, each with the list that it is in."""
    for kind in ("containers", "initContainers"):
        for one in _items(overlay.get(kind) or [], kind):
            yield kind, one


def _check_own_containers(overlay: Mapping[str, Any]) -> None:
    for kind, one in _containers(overlay):
        name = str(one.get("name") or "")
        own = name in OWN_CONTAINERS or name.startswith("input-")
        if own and (name != names.TRAINER or kind == "initContainers"):
            raise OverlayError(
                f"podTemplate.spec.{kind} cannot touch the operator's own container {name}: "
                "choose another name."
            )


def _check_mounts(overlay: Mapping[str, Any]) -> None:
    """Refuse mounts of what only the operator's containers may see, and in its own folder."""
    for kind, one in _containers(overlay):
        path = f"{kind}[{one.get('name')}].volumeMounts"
        for mount in _items(one.get("volumeMounts") or [], path):
            volume, place = str(mount.get("name")), str(mount.get("mountPath"))
            if volume.startswith("slipway-") or volume in PRIVATE_VOLUMES:
                raise OverlayError(
                    f"podTemplate.spec.{path} cannot have {volume}: {MOUNT_MESSAGE}."
                )
            if one.get("name") == names.TRAINER and _is_ours(place):
                raise OverlayError(
                    f"podTemplate.spec.{path} cannot have {place}: {FOLDER_MESSAGE}."
                )


def _is_ours(place: str) -> bool:
    """Tell whether a path is the operator's own folder, or in it."""
    return f"{normpath('/' + place.lstrip('/'))}/".startswith(f"{OWN_FOLDER}/")


def _secured(container: dict[str, Any], own: set[str]) -> dict[str, Any]:
    if container["name"] in own:
        return container
    given = container.get("securityContext") or {}
    return {**container, "securityContext": {**ADDED_SECURITY, **given}}


def _merge(base: Json, extra: Json, path: str = "") -> Json:
    if isinstance(base, dict) and isinstance(extra, dict):
        return _merge_fields(base, extra, path)
    whole = path.rsplit(".", 1)[-1] in WHOLE
    if isinstance(base, list) and isinstance(extra, list) and not whole:
        return _merge_items(base, extra, path)
    if base == extra or path in CHANGEABLE:
        return extra
    raise OverlayError(
        f"podTemplate.spec.{path} cannot be {extra!r}: the operator needs {base!r} there. Remove "
        "it from podTemplate."
    )


def _merge_fields(base: dict[str, Any], extra: dict[str, Any], path: str) -> dict[str, Any]:
    merged = dict(base)
    for name, value in extra.items():
        inner = f"{path}.{name}" if path else name
        if name.startswith("$"):
            raise OverlayError(
                f"podTemplate.spec.{inner} is a directive: remove it. An overlay only adds."
            )
        merged[name] = _merge(base[name], value, inner) if name in base else value
    return merged


def _merge_items(base: list[Any], extra: list[Any], path: str) -> list[Any]:
    key = KEYS.get(path.rsplit(".", 1)[-1])
    if key is None:
        return base if base == extra else [*base, *extra]
    merged = {one.get(key): one for one in _items(base, path)}
    for one in _items(extra, path):
        known = one.get(key)
        if known is None:
            raise OverlayError(f"An item of podTemplate.spec.{path} has no {key}: write it.")
        inner = f"{path}[{known}]"
        merged[known] = _merge(merged[known], one, inner) if known in merged else one
    return list(merged.values())


def _items(found: Any, path: str) -> list[dict[str, Any]]:
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return found
    raise OverlayError(
        f"podTemplate.spec.{path} is not a list of objects: write it as a Pod has it."
    )
