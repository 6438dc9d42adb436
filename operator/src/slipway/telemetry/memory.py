"""How much memory the process may use: the limit of its container."""

from collections.abc import Iterator
from pathlib import Path

from slipway.telemetry.catalogue import Sample

_PLACES = ("memory.max", "memory/memory.limit_in_bytes")
"""Where cgroup v2 and v1 tell a container's own limit, below /sys/fs/cgroup.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
"""
_NO_LIMIT = 1 << 62
"""cgroup v1 tells a number of about this size where there is no limit."""


def limit_bytes(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the limit of the container's memory in bytes; None where there is none."""
    for place in _PLACES:
        try:
            text = (root / place).read_text().strip()
        except OSError:
            continue
        limit = int(text) if text.isdecimal() else _NO_LIMIT
        return limit if limit < _NO_LIMIT else None
    return None


def samples(root: Path = Path("/sys/fs/cgroup")) -> Iterator[Sample]:
    """Yield the limit, if there is one."""
    limit = limit_bytes(root)
    if limit is not None:
        yield (), float(limit)
