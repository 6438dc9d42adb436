"""What a pod's devices decide: the collectives' backend and the number of processes."""

import re
from decimal import Decimal

from slipway.api.training_job import TrainingJobSpec

GPU = "nvidia.com/gpu"
"""The extended resource of NVIDIA's device plugin."""

_SUFFIXES = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMG", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMG", 1)},
}


def gpus(spec: TrainingJobSpec) -> int:
    """Return how many GPUs each pod has: its limit, in any form of a Kubernetes quantity."""
    match = re.fullmatch(
        r"\+?([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)", str(spec.resources.limits.get(GPU, 0))
    )
    if match is None or match[2] not in _SUFFIXES:
        return 0
    return int(Decimal(match[1]) * _SUFFIXES[match[2]])


def backend(spec: TrainingJobSpec) -> str:
    """Return torch.distributed's backend: NCCL among GPUs, else Gloo."""
    return "nccl" if gpus(spec) else "gloo"


def processes_per_node(spec: TrainingJobSpec) -> int:
    """Return how many processes each pod runs: what the user says, else one a GPU, at least one."""
    if spec.processes_per_node != "auto":
        return spec.processes_per_node
    return max(1, gpus(spec))
