"""How a container gets what opens the store, or a place of the user's: as files of a Secret.

Files can be renewed while the container runs, which variables cannot, and they are in no
environment that other processes could read. Only the operator's own containers mount them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from slipway.api.trust.keys import ConfigMapKeyReference, SecretKeyReference
from slipway.manifests import mount
from slipway.settings import StoreSettings
from slipway.store import ADDRESSING_STYLE

FOLDER, VARIABLE = "/slipway/credentials", "SLIPWAY_CREDENTIALS_DIR"
"""Where a container finds what opens the places that it reads or writes, and what names that."""
KEY_VOLUME = "slipway-key-"
"""Begin of the names of the volumes with single keys."""
KEYSET = "/slipway/keys/encryption/keyset.json"
"""Where a container finds the keyset that encrypts an archive, or opens it."""
CHECKPOINT_FOLDER = "/slipway/checkpoint-credentials"
CHECKPOINT_VARIABLE = "SLIPWAY_CHECKPOINT_CREDENTIALS_DIR"
"""The same for checkpoints that lie somewhere else than the store."""


@dataclass(frozen=True)
class Opened:
    """What a pod and one of its containers need to open a place; each part may be empty."""

    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    env: tuple[dict[str, Any], ...] = ()


def by_secret(
    name: str, folder: str = FOLDER, variable: str = VARIABLE, *, optional: bool = True
) -> Opened:
    """Return what gives a container the keys of a Secret, each as a file in a folder.

    An optional one that is missing lets the pod start: its program says what it lacks.
    """
    volume = f"slipway-secret-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    secret = {"secretName": name, **({"optional": True} if optional else {})}
    return Opened(
        ({"name": volume, "secret": secret},),
        (mount(volume, folder, read_only=True),),
        ({"name": variable, "value": folder},),
    )


def key_file(reference: SecretKeyReference | ConfigMapKeyReference, path: str) -> Opened:
    """Return what gives a container one key of an object as the file at ``path``, and no other.

    An object that is missing lets the pod start: its program says what it lacks.
    """
    folder, _, name = path.rpartition("/")
    volume = f"{KEY_VOLUME}{folder.rpartition('/')[2]}"
    items = {"items": [{"key": reference.key, "path": name}], "optional": True}
    source: dict[str, Any] = {"secret": {"secretName": reference.name, **items}}
    if isinstance(reference, ConfigMapKeyReference):
        source = {"configMap": {"name": reference.name, **items}}
    return Opened(({"name": volume, **source},), (mount(volume, folder, read_only=True),))


def store(settings: StoreSettings) -> Opened:
    """Return what opens the store: its Secret, or where it is for the pod's own identity."""
    if settings.has_secret:
        return by_secret(settings.secret_name, optional=settings.credentials == "namespace")
    env = [{"name": "AWS_DEFAULT_REGION", "value": settings.region}]
    if settings.endpoint:
        env.append({"name": "AWS_ENDPOINT_URL", "value": settings.endpoint})
    if settings.addressing_style == "virtual":
        env.append({"name": ADDRESSING_STYLE, "value": settings.addressing_style})
    return Opened(env=tuple(env))


def place(uri: str, secret_name: str | None, settings: StoreSettings) -> Opened:
    """Return what opens a URI: the Secret that is named with it, else for s3 the store's own."""
    if secret_name:
        return by_secret(secret_name)
    return store(settings) if uri.startswith("s3:") else Opened()


def volumes(opened: Iterable[Opened]) -> list[dict[str, Any]]:
    """Return the volumes of a pod whose containers open these places, each once.

    What one of them needs, be it a Secret or a ConfigMap, is needed by the pod.
    """
    found: dict[str, dict[str, Any]] = {}
    for volume in (volume for each in opened for volume in each.volumes):
        if volume["name"] not in found or not _is_optional(volume):
            found[volume["name"]] = volume
    return list(found.values())


def _is_optional(volume: dict[str, Any]) -> bool:
    """Tell whether a pod starts without what a volume is of."""
    sources = (source for kind, source in volume.items() if kind != "name")
    return any(source.get("optional", False) for source in sources)
