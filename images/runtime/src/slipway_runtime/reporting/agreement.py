"""What all processes of a training decide together, beside the training's own messages.

The groups are of their own and always Gloo's, on CPU tensors: a decision neither waits for the GPU
nor mixes with the script's collectives. They are made when first needed, on all ranks at once.
"""

from __future__ import annotations

import sys
from typing import Any

from slipway_runtime.reporting.leaving import leave_at_exit

_groups: dict[str, tuple[Any, Any]] = {}


def alone() -> bool:
    """Tell whether no process group is set up, so that this process decides for itself."""
    dist: Any = sys.modules.get("torch.distributed")
    return dist is None or not (dist.is_available() and dist.is_initialized())


def group(purpose: str) -> Any:
    """Return the Gloo group for a purpose; a collective call when first made.

    Two threads that talk at the same time need two purposes. A process group that was set up anew
    gets groups anew.
    """
    import torch.distributed as dist

    world = dist.group.WORLD
    known = _groups.get(purpose)
    if known is None or known[0] is not world:
        known = _groups[purpose] = (world, dist.new_group(backend="gloo"))
        leave_at_exit(known[1])
    return known[1]


def any_of(*flags: bool) -> list[bool]:
    """Return each flag as true where it is so on any rank; a collective call."""
    if alone():
        return list(flags)
    import torch
    import torch.distributed as dist

    votes = torch.tensor([int(flag) for flag in flags], dtype=torch.int32)
    dist.all_reduce(votes, dist.ReduceOp.MAX, group=group("decisions"))
    return [bool(vote) for vote in votes.tolist()]


def from_main(value: Any) -> Any:
    """Return rank 0's value on all ranks; a collective call. The value must be picklable."""
    if alone():
        return value
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values, src=0, group=group("decisions"))
    return values[0]
