"""How much of a container's memory TorchServe's Java process gets."""

from slipway.api.common import ResourceRequirements
from slipway.api.fields.quantity import parse_quantity

_MIB = 1024 * 1024
_SMALLEST_HEAP, _DEFAULT_HEAP, _LARGEST_HEAP = 128, 512, 1024


def java_options(resources: ResourceRequirements, longest_body: int = 0) -> str:
    """Return the options of TorchServe's Java process.

    Java only hands requests on, and the Python workers need the memory: it gets an eighth of the
    limit for its heap, between 128 MiB and 1 GiB, and as much for its network buffers; 512 MiB
    where there is no limit. In any case it has room for four bodies of ``longest_body`` bytes.
    """
    limit = parse_quantity(resources.limits.get("memory", ""))
    heap = _DEFAULT_HEAP
    if limit is not None:
        heap = max(_SMALLEST_HEAP, min(_LARGEST_HEAP, int(limit / 8 / _MIB)))
    heap = max(heap, -(-4 * longest_body // _MIB))
    return f"-Xmx{heap}m -XX:MaxDirectMemorySize={heap}m -XX:-UsePerfData"
