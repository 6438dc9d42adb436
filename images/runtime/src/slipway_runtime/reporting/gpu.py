"""The GPU of the reporting process, as torch sees it."""

from __future__ import annotations

import sys
from typing import Any


def usage() -> dict[str, float]:
    """Return ``memoryUsedBytes``, ``memoryTotalBytes`` and ``utilization`` (0 to 1).

    Empty where torch is not loaded or has not set a GPU up; the utilization is left out where the
    driver's library does not tell it. Never raises: a report must not fail for want of it.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    found: dict[str, float] = {}
    try:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            free, total = torch.cuda.mem_get_info()
            found.update(memoryUsedBytes=total - free, memoryTotalBytes=total)
            found["utilization"] = torch.cuda.utilization() / 100
    except Exception:  # noqa: S110 - torch, CUDA and NVML each have errors of their own
        pass
    return found
