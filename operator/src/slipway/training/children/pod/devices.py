"""What a pod's devices decide: the collectives' backend and the number of processes."""

from slipway.api.training.job import TrainingJobSpec
from slipway.pods import placement


def gpus(spec: TrainingJobSpec) -> int:
    """Return how many GPUs each pod has."""
    return placement.gpus(spec.resources)


def backend(spec: TrainingJobSpec) -> str:
    """Return torch.distributed's backend: NCCL among GPUs, else Gloo.

    Empty where only torch can tell, in the pod: claimed devices may be anything.
    """
    if gpus(spec):
        return "nccl"
    return "" if spec.resource_claims else "gloo"


def processes_per_node(spec: TrainingJobSpec) -> str:
    """Return how many processes each pod runs: what the user says, else one a GPU, at least one.

    ``auto`` where only torch can tell, in the pod: claimed devices have no count in the spec.
    """
    if spec.processes_per_node != "auto":
        return str(spec.processes_per_node)
    unknown = spec.resource_claims and not gpus(spec)
    return "auto" if unknown else str(max(1, gpus(spec)))
