"""How long GPUs are held, by whom: what GPU hours are added up from."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from slipway.api.quantity import parse_quantity
from slipway.manifests import COMPONENT
from slipway.plan import Manifest
from slipway.telemetry import reading
from slipway.telemetry.catalogue import Sample

Pods = Callable[[], Iterable[Manifest]]
_MARK = "/gpu"
"""How the resource names of GPU device plugins end: nvidia.com/gpu, amd.com/gpu."""


def held(pod: Mapping[str, Any]) -> int:
    """Return how many GPUs a pod holds: from when it has a node until its containers have ended."""
    spec = pod.get("spec") or {}
    ended = reading.status_of(pod).get("phase") in ("Succeeded", "Failed")
    if ended or not spec.get("nodeName"):
        return 0
    limits = ((c.get("resources") or {}).get("limits") or {} for c in spec.get("containers") or ())
    return sum(
        int(parse_quantity(amount) or 0)
        for each in limits
        for name, amount in each.items()
        if name.endswith(_MARK)
    )


class GpuMeter:
    """Adds up GPU seconds, by namespace and component, from one look to the next.

    Pods that come and go between two looks are not seen; at a scrape each 30 s that is little.
    """

    def __init__(self, pods: Pods, clock: Callable[[], float] = time.monotonic) -> None:
        self._pods, self._clock = pods, clock
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._looked = clock()

    def present(self) -> Iterator[Sample]:
        """Yield the number of GPUs that are held now."""
        yield from self._held().items()

    def seconds(self) -> Iterator[Sample]:
        """Yield the GPU seconds until now."""
        now = self._clock()
        for key, gpus in self._held().items():
            self._seconds[key] += gpus * (now - self._looked)
        self._looked = now
        yield from self._seconds.items()

    def _held(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for pod in self._pods():
            labels = pod["metadata"].get("labels") or {}
            found[reading.namespace_of(pod), str(labels.get(COMPONENT, ""))] += held(pod)
        return found
