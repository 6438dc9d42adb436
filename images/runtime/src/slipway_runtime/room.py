"""How much may be brought to a folder: what others on the same disk can spare."""

import shutil
from pathlib import Path

RESERVED_SHARE = 0.05
"""Share of a disk that is left free: the kubelet evicts pods of a node whose disk is full."""


def free(folder: Path) -> int:
    """Return how many bytes may still be brought to an existing folder."""
    usage = shutil.disk_usage(folder)
    return max(0, usage.free - int(usage.total * RESERVED_SHARE))
