"""Laying a user's pod template over the operator's: a strategic merge that only adds.

Lists of named things are merged by their names, as the API server's strategic merge patch does for
these fields; other lists are extended. A value that the operator set cannot be changed, but for the
few that are the user's business.
Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from slipway.api.fields.own_pieces import OWN_FOLDER, OwnPieces
from slipway.api.fields.pod_template import PodTemplate

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
        "securityContext.runAsNonRoot",
        "securityContext.runAsUser",
        "securityContext.seccompProfile.type",
        "topologySpreadConstraints[].maxSkew",
        "topologySpreadConstraints[].whenUnsatisfiable",
    }
)
"""What the operator sets only by default, by the path in a pod's spec; `slipway.pods.permitted`
says how far it may be changed."""
CHANGEABLE_IN_MAIN = frozenset(
    {
        "imagePullPolicy",
        "securityContext.allowPrivilegeEscalation",
        "securityContext.readOnlyRootFilesystem",
        "terminationMessagePolicy",
    }
)
"""What it sets only by default in the main container."""

WHOLE = frozenset({"command", "args"})
"""Lists that mean something only as a whole: they are not extended."""
METADATA = ("labels", "annotations")

ADDED_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
"""What an added container's securityContext says unless it says something itself."""
ADDED = {"terminationMessagePolicy": "FallbackToLogsOnError"}
"""What an added container says unless it says something itself: its last words are kept."""

Json = Any


class OverlayError(ValueError):
    """The overlay would break the pod; the text is a sentence that says what to remove."""


def overlaid(
    template: dict[str, Any], overlay: PodTemplate | None, own: OwnPieces
) -> dict[str, Any]:
    """Return a pod template with a user's overlay laid over it; raises OverlayError."""
    if overlay is None:
        return template
    more = overlay.metadata.to_wire() if overlay.metadata else {}
    return {
        "metadata": merge_metadata(template["metadata"], more),
        "spec": merge_pod(template["spec"], overlay.spec, own),
    }


def joined(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return an object with another one's fields added; raises OverlayError for a contradiction."""
    return _Merge(frozenset()).fields(base, extra, "")


def merge_metadata(base: dict[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return a template's metadata with the user's labels and annotations; ours stay."""
    parts = {part: {**overlay.get(part, {}), **base.get(part, {})} for part in METADATA}
    return {part: found for part, found in parts.items() if found}


def merge_pod(base: dict[str, Any], overlay: Mapping[str, Any], own: OwnPieces) -> dict[str, Any]:
    """Return a pod's spec with a user's overlay laid over it.

    Raises OverlayError where the overlay would change what the operator set, touches a container
    of its own, or has a shape that no pod has.
    """
    _check_own_containers(overlay, own)
    _check_mounts(overlay, own)
    _check_users(overlay, own)
    changeable = CHANGEABLE | {f"containers[{own.main}].{path}" for path in CHANGEABLE_IN_MAIN}
    merged = _Merge(changeable).fields(base, dict(overlay), "")
    made = {one["name"] for one in (*base["containers"], *base["initContainers"])}
    for kind in ("containers", "initContainers"):
        merged[kind] = [_secured(one, made) for one in merged[kind]]
    return merged


def _containers(overlay: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the overlay's containers, each with the list that it is in."""
    for kind in ("containers", "initContainers"):
        for one in _items(overlay.get(kind) or [], kind):
            yield kind, one


def _check_own_containers(overlay: Mapping[str, Any], own: OwnPieces) -> None:
    for kind, one in _containers(overlay):
        name = str(one.get("name") or "")
        if own.owns(name) and (name != own.main or kind == "initContainers"):
            raise OverlayError(
                f"podTemplate.spec.{kind} cannot touch the operator's own container {name}: "
                "choose another name."
            )


def _check_mounts(overlay: Mapping[str, Any], own: OwnPieces) -> None:
    """Refuse mounts of what only the operator's containers may see, and in its own folder."""
    for kind, one in _containers(overlay):
        path = f"{kind}[{one.get('name')}].volumeMounts"
        for mount in _items(one.get("volumeMounts") or [], path):
            volume, place = str(mount.get("name")), str(mount.get("mountPath"))
            if own.hides(volume):
                raise OverlayError(
                    f"podTemplate.spec.{path} cannot have {volume}: {own.mount_message}."
                )
            if one.get("name") == own.main and _is_ours(place):
                raise OverlayError(
                    f"podTemplate.spec.{path} cannot have {place}: {own.folder_message}."
                )


def _check_users(overlay: Mapping[str, Any], own: OwnPieces) -> None:
    """Refuse the user of the operator's own container with credentials, also the image's choice."""
    if own.agent_user is None:
        return
    scopes = [("", overlay)]
    scopes += [(f"{kind}[{one.get('name')}].", one) for kind, one in _containers(overlay)]
    for path, scope in scopes:
        given = scope.get("securityContext")
        if isinstance(given, dict) and given.get("runAsUser", 0) in (None, own.agent_user):
            raise OverlayError(
                f"podTemplate.spec.{path}securityContext.runAsUser cannot be "
                f"{given['runAsUser']}: write a number other than {own.agent_user}, which is the "
                "user of the operator's own container."
            )


def _is_ours(place: str) -> bool:
    """Tell whether a path is the operator's own folder, or in it."""
    return f"{normpath('/' + place.lstrip('/'))}/".startswith(f"{OWN_FOLDER}/")


def _secured(container: dict[str, Any], made: set[str]) -> dict[str, Any]:
    if container["name"] in made:
        return container
    given = container.get("securityContext") or {}
    if not isinstance(given, dict):
        raise OverlayError(
            f"The securityContext of podTemplate's container {container['name']} is no object: "
            "write it as a Pod has it."
        )
    return {**ADDED, **container, "securityContext": {**ADDED_SECURITY, **given}}


class _Merge:
    """One merge; ``changeable`` are the paths of what an overlay may change."""

    def __init__(self, changeable: frozenset[str]) -> None:
        self._changeable = changeable

    def fields(self, base: dict[str, Any], extra: dict[str, Any], path: str) -> dict[str, Any]:
        """Return an object with another one's fields laid over it."""
        merged = dict(base)
        for name, value in extra.items():
            inner = f"{path}.{name}" if path else name
            if name.startswith("$"):
                raise OverlayError(
                    f"podTemplate.spec.{inner} is a directive: remove it. An overlay only adds."
                )
            merged[name] = self._value(base[name], value, inner) if name in base else value
        return merged

    def _value(self, base: Json, extra: Json, path: str) -> Json:
        if isinstance(base, dict) and isinstance(extra, dict):
            return self.fields(base, extra, path)
        whole = path.rsplit(".", 1)[-1] in WHOLE
        if isinstance(base, list) and isinstance(extra, list) and not whole:
            return self._items(base, extra, path)
        if base == extra or path in self._changeable:
            return extra
        raise OverlayError(
            f"podTemplate.spec.{path} cannot be {extra!r}: the operator needs {base!r} there. "
            "Remove it from podTemplate."
        )

    def _items(self, base: list[Any], extra: list[Any], path: str) -> list[Any]:
        list_name = path.rsplit(".", 1)[-1]
        key = KEYS.get(list_name)
        if key is None:
            return base if base == extra else [*base, *extra]
        merged = {one.get(key): one for one in _items(base, path)}
        for one in _items(extra, path):
            known = one.get(key)
            if not isinstance(known, str):
                raise OverlayError(f"An item of podTemplate.spec.{path} has no {key}: write it.")
            inner = f"{path}[]" if key == "topologyKey" else f"{path}[{known}]"
            new = known not in merged
            merged[known] = one if new else self._value(merged[known], one, inner)
        return list(merged.values())


def _items(found: Any, path: str) -> list[dict[str, Any]]:
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return found
    raise OverlayError(
        f"podTemplate.spec.{path} is not a list of objects: write it as a Pod has it."
    )
