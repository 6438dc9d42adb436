"""Keeping the operator's Secrets, and tokens that nobody asked for, out of a user's pods."""

from collections.abc import Iterator, Mapping, Set
from typing import Any

Json = Any
_ACCOUNT = ("serviceAccountName", "serviceAccount")
_IDENTITIES = ("serviceAccountToken", "podCertificate")
"""Sources of a projected volume by which a pod shows whose it is."""


def named_secret(given: Json, secrets: Set[str]) -> tuple[str, str] | None:
    """Return where a user's words name one of some Secrets, as (path, name); None where nowhere.

    ``given`` is any part of a spec as JSON. Whatever names a Secret in Kubernetes' API does so by a
    field ``name`` beneath one with "secret" in its own name (``secretKeyRef.name``,
    ``envFrom[].secretRef.name``, ``projected.sources[].secret.name``), or by a field whose own name
    says so (``secretName``, ``credentialsSecretName``).
    """
    return next((found for found in _named(given, "", False) if found[1] in secrets), None)


def _named(given: Json, path: str, within: bool) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        for key, value in given.items():
            about = "secret" in str(key).lower()
            here = f"{path}.{key}" if path else str(key)
            if isinstance(value, str) and (about or (within and key == "name")):
                yield here, value
            yield from _named(value, here, within or about)
    elif isinstance(given, list):
        for number, one in enumerate(given):
            yield from _named(one, f"{path}[{number}]", within)


def names_account(spec: Mapping[str, Any]) -> bool:
    """Tell whether a spec of either kind, as JSON, names the service account of its pods."""
    overlay = (spec.get("podTemplate") or {}).get("spec") or {}
    return any(one.get(name) for one in (spec, overlay) for name in _ACCOUNT)


def token(pod: Mapping[str, Any]) -> str | None:
    """Return the path of what gives a pod a token or certificate of its service account, if any."""
    if pod.get("automountServiceAccountToken"):
        return "automountServiceAccountToken"
    for volume in pod.get("volumes") or ():
        projected = volume.get("projected")
        sources = projected.get("sources") if isinstance(projected, Mapping) else None
        for source in sources if isinstance(sources, list) else ():
            for identity in _IDENTITIES:
                if isinstance(source, Mapping) and identity in source:
                    return f"volumes[{volume.get('name')}].projected.sources[].{identity}"
    return None
