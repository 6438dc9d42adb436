"""The pod of a server that a test brings with it, such as the restricted standard takes."""

from collections.abc import Mapping
from typing import Any

from tests.harness import Object


def core_object(
    kind: str, name: str, labels: Mapping[str, str] | None = None, **rest: Any
) -> Object:
    """Return an object of a kind that Kubernetes' core has."""
    meta = {"name": name, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **rest}


def container(
    name: str, image: str, mounts: Mapping[str, str], port: int | None = None, **rest: Any
) -> Object:
    """Return a container, with the paths of its volumes; ``port`` is open once it is ready."""
    ready = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    return {
        "name": name,
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": volume, "mountPath": path} for volume, path in mounts.items()],
        **({"readinessProbe": ready} if port else {}),
        **rest,
    }


def pod(*containers: Object, volumes: Mapping[str, Object], **rest: Any) -> Object:
    """Return a pod's spec with volumes by their names."""
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 0,
        "containers": list(containers),
        "volumes": [{"name": name, **volume} for name, volume in volumes.items()],
        **rest,
    }


def variables(values: Mapping[str, str]) -> list[Object]:
    """Return plain variables of a container."""
    return [{"name": name, "value": value} for name, value in values.items()]
