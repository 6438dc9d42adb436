"""How much may be brought to a folder: what its volume may hold, and what the disk can spare.

``SLIPWAY_ROOM`` is a JSON object with the size of volumes in bytes, by the folders where they are
mounted; the kubelet ends a pod of which a volume is larger.
"""

import json
import os
import shutil
from pathlib import Path

VARIABLE = "SLIPWAY_ROOM"
RESERVED_SHARE = 0.05
"""Share of a disk that is left free: the kubelet evicts pods of a node whose disk is full."""
FULL = "the volume is full (see volumeSizes), or the node's disk is, which keeps 5 % free"
"""Why there is no room, as a part of a sentence."""
BLOCK = 512
"""Unit of st_blocks, in bytes; see stat(2)."""


def free(folder: Path) -> int:
    """Return how many bytes may still be brought to an existing folder."""
    usage = shutil.disk_usage(folder)
    most = [usage.free - int(usage.total * RESERVED_SHARE)]
    for volume, size in json.loads(os.environ.get(VARIABLE) or "{}").items():
        if folder.is_relative_to(volume):
            most.append(size - on_disk(Path(volume)))
    return max(0, min(most))


def on_disk(folder: Path) -> int:
    """Return how many bytes the files under a folder hold, holes in them left out."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                stat = Path(root, name).lstat()
            except OSError:
                continue
            total += min(stat.st_size, stat.st_blocks * BLOCK) if stat.st_blocks else stat.st_size
    return total
