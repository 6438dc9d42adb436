"""How many threads each worker of a server computes with."""

from decimal import Decimal

from slipway.api.common import ResourceRequirements
from slipway.api.fields.quantity import parse_quantity


def threads_per_worker(resources: ResourceRequirements, workers: int) -> int:
    """Return how many threads each worker may compute with: its share of the CPUs, at least 1.

    Without it PyTorch starts one thread for each CPU of the node in each worker, which then fight
    for the container's share.
    """
    cpu = parse_quantity(resources.limits.get("cpu", resources.requests.get("cpu", "")))
    return max(1, int((cpu or Decimal(1)) / workers))
