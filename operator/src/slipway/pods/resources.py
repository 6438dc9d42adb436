"""What the operator's own containers may use, and how large the volumes of a pod may grow.

Three have their say, the later over the earlier: the defaults here, the administrator's settings,
the user's spec. Every container has requests and limits for CPU and memory, so that a quota or a
LimitRange of the namespace takes it. None asks for ephemeral storage unless somebody writes it: a
node whose kubelet does not account for it offers none, so that no such pod could be scheduled, and
of limits the kubelet adds up those that there are and ends the whole pod beyond the sum, the
script's output included. The volumes have limits of their own instead.
Source: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from slipway.api.base import Quantity
from slipway.api.common import ResourceRequirements
from slipway.api.fields.quantity import parse_quantity
from slipway.settings import Settings

Added = Literal["agent", "answer", "fetch", "hooks", "package", "proxy"]
"""The operator's own containers, by what they do."""

DEFAULTS: Mapping[Added, ResourceRequirements] = {
    "agent": ResourceRequirements(
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "2", "memory": "1Gi"},
    ),
    "answer": ResourceRequirements(
        requests={"cpu": "500m", "memory": "1Gi"},
        limits={"cpu": "2", "memory": "4Gi"},
    ),
    "fetch": ResourceRequirements(
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "2", "memory": "1Gi"},
    ),
    "hooks": ResourceRequirements(
        requests={"cpu": "10m", "memory": "64Mi"},
        limits={"cpu": "1", "memory": "256Mi"},
    ),
    "package": ResourceRequirements(
        requests={"cpu": "100m", "memory": "256Mi"},
        limits={"cpu": "2", "memory": "1Gi"},
    ),
    "proxy": ResourceRequirements(
        requests={"cpu": "100m", "memory": "128Mi"},
        limits={"cpu": "1", "memory": "512Mi"},
    ),
}
"""Requests above the smallest that LimitRanges usually ask for; limits that an upload or a download
of some Gbit/s needs."""

Volume = Literal["output", "inputs", "source", "checkpoint", "model", "logs", "scratch", "admin"]

SIZES: Mapping[Volume, str] = {
    "output": "500Gi",
    "inputs": "500Gi",
    "source": "20Gi",
    "checkpoint": "500Gi",
    "model": "200Gi",
    "logs": "5Gi",
    "scratch": "200Gi",
    "admin": "16Mi",
}
"""How large each volume may grow before the kubelet ends the pod; ``inputs`` is for each input and
``checkpoint`` for each of a pod's two folders, ``scratch`` is a container's /tmp."""

SHARED_MEMORY = "64Gi"
"""Size of /dev/shm where neither the spec nor a memory limit of the container says one."""


def resources(container: Added, settings: Settings, *given: ResourceRequirements) -> dict[str, Any]:
    """Return the resources of one of the operator's containers; the last of ``given`` counts."""
    own = settings.resources.get(container, ResourceRequirements())
    return layered(DEFAULTS[container], own, *given).to_wire()


def layered(*layers: ResourceRequirements) -> ResourceRequirements:
    """Return resources of which the later layers replace those of the earlier by their names.

    A limit that is lower than an earlier layer's request lowers the request, and a request that is
    higher than an earlier layer's limit raises the limit.
    """
    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}
    for layer in layers:
        requests |= layer.requests
        limits |= layer.limits
        for name in requests.keys() & limits.keys():
            if not _exceeds(requests[name], limits[name]):
                continue
            if name in layer.limits and name not in layer.requests:
                requests[name] = limits[name]
            elif name in layer.requests and name not in layer.limits:
                limits[name] = requests[name]
    return ResourceRequirements(requests=requests, limits=limits)


def _exceeds(one: Quantity, other: Quantity) -> bool:
    first, second = parse_quantity(one), parse_quantity(other)
    return first is not None and second is not None and first > second


def size(volume: Volume, settings: Settings, given: Quantity | None = None) -> Quantity:
    """Return how large a volume may grow: the user's word, else the administrator's."""
    return given or settings.volume_sizes.get(volume) or SIZES[volume]


def room(volumes: Mapping[str, Quantity]) -> dict[str, str]:
    """Return the variable by which the runtime knows how large what is mounted at a path may grow.

    The kubelet ends a pod that goes beyond, without a word of why.
    """
    numbers = {path: parse_quantity(limit) for path, limit in volumes.items()}
    known = {path: int(number) for path, number in numbers.items() if number is not None}
    return {"SLIPWAY_ROOM": json.dumps(known)}


def shared_memory(given: Quantity | None, container: ResourceRequirements) -> dict[str, Any]:
    """Return the volume of /dev/shm: the memory limit bounds it, not the runtime's 64 MiB."""
    limit = given or container.limits.get("memory") or SHARED_MEMORY
    return {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": limit}}
