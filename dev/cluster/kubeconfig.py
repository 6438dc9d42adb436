"""Kubeconfig files."""

import base64
import json
from pathlib import Path

from dev.cluster.certificates import Certificate
from dev.shell import write


def write_kubeconfig(
    path: Path, server: str, authority: Path, user: Certificate | str, namespace: str = "default"
) -> Path:
    """Write a kubeconfig (JSON, which is YAML) for a client certificate or a bearer token."""
    cluster = {"server": server, "certificate-authority-data": _encoded(authority)}
    context = {"cluster": "slipway", "user": "user", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "slipway", "cluster": cluster}],
        "users": [{"name": "user", "user": _credentials(user)}],
        "contexts": [{"name": "slipway", "context": context}],
        "current-context": "slipway",
    }
    return write(path, json.dumps(config, indent=2) + "\n", mode=0o600)


def _credentials(user: Certificate | str) -> dict[str, str]:
    if isinstance(user, str):
        return {"token": user}
    return {
        "client-certificate-data": _encoded(user.certificate),
        "client-key-data": _encoded(user.key),
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
