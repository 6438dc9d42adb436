"""What a training script calls: the process group, and reports of progress."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from slipway_runtime import progress


@dataclass(frozen=True)
class World:
    """This process among all that train together.

    ``device`` is torch's name of the device to use: ``cuda:N`` with the NCCL backend, else ``cpu``.
    """

    rank: int
    size: int
    local_rank: int
    device: str

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and reports: rank 0."""
        return self.rank == 0


def init() -> World:
    """Set the process group up, and return this process' place in it.

    The backend is the one that the operator chose by the pod's devices; outside Slipway it is NCCL
    where CUDA is available, else Gloo. Under plain ``python`` the world has one process. A second
    call returns the same world. The group is left by torch at the process' end.
    """
    import torch
    import torch.distributed as dist

    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    backend = os.environ.get("SLIPWAY_BACKEND") or ("nccl" if torch.cuda.is_available() else "gloo")
    device = f"cuda:{local_rank}" if backend == "nccl" else "cpu"
    options: dict[str, Any] = {}
    if backend == "nccl":
        torch.cuda.set_device(local_rank)
        options["device_id"] = torch.device(device)
    if "RANK" not in os.environ:
        options.update(store=dist.HashStore(), rank=0, world_size=1)
    if not dist.is_initialized():
        dist.init_process_group(backend, **options)
    return World(dist.get_rank(), dist.get_world_size(), local_rank, device)


def report(
    step: int, *, total_steps: int | None = None, epoch: int | None = None, **metrics: Any
) -> None:
    """Tell how far the training is; only rank 0's word counts, and only inside Slipway.

    ``step`` counts from 0 in whatever unit the script likes, ``total_steps`` is its planned end.
    Metrics are numbers, or tensors of one element. Raises ValueError for anything else: a report
    that cannot be read would be a silent gap. A full or missing disk does not stop the training:
    it is a warning on stderr.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    document = progress.document(step, total_steps, epoch, metrics)
    folder = os.environ.get("SLIPWAY_RUN_DIR")
    if not folder:
        return
    try:
        progress.write(folder, document)
    except OSError as error:
        print(f"slipway: progress was not written: {error}", file=sys.stderr)
