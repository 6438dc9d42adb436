"""Where pods may run, as whom, and what devices they claim: the fields of a pod's spec."""

from typing import Any

from slipway.api.common import ResourceRequirements
from slipway.api.fields.placement import Placement
from slipway.api.fields.quantity import parse_quantity
from slipway.settings import Settings

GPU = "nvidia.com/gpu"
"""The extended resource of NVIDIA's device plugin."""


def fields(placement: Placement, settings: Settings) -> dict[str, Any]:
    """Return the fields of a pod's spec; those that nobody asks for are left out."""
    found = {
        "nodeSelector": placement.node_selector,
        "tolerations": [one.to_wire() for one in placement.tolerations],
        "affinity": placement.affinity,
        "priorityClassName": placement.priority_class_name,
        "runtimeClassName": placement.runtime_class_name,
        "serviceAccountName": placement.service_account_name,
        "resourceClaims": [one.to_wire() for one in placement.resource_claims],
        **pull_secrets(placement, settings),
    }
    return {name: value for name, value in found.items() if value}


def pull_secrets(placement: Placement, settings: Settings) -> dict[str, Any]:
    """Return the field with the Secrets of the release and of the spec; none without any."""
    own = (one.name for one in placement.image_pull_secrets)
    names = dict.fromkeys((*settings.pull_secrets, *own))
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def with_claims(resources: dict[str, Any], placement: Placement) -> dict[str, Any]:
    """Return a container's resources with every device that the pod claims."""
    claims = [{"name": claim.name} for claim in placement.resource_claims]
    return {**resources, **({"claims": claims} if claims else {})}


def gpus(resources: ResourceRequirements) -> int:
    """Return how many GPUs a container has: its limit, in any form of a Kubernetes quantity."""
    return max(0, int(parse_quantity(resources.limits.get(GPU, 0)) or 0))
