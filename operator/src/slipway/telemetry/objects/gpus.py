"""How long GPUs are held, by whom: what GPU hours are added up from."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slipway.api.fields.quantity import parse_quantity
from slipway.manifests import COMPONENT, OWNER_LABELS
from slipway.plan import Manifest
from slipway.telemetry.catalogue import Sample
from slipway.telemetry.objects import reading

Holder = tuple[str, str]
"""A namespace and a component."""
_COMPONENTS = frozenset({"trainer", "packager", "server"})
"""Whoever forges pods may write anything else into the label."""
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


def held_by(pod: Manifest) -> Iterator[tuple[Holder, int]]:
    """Yield a pod's namespace and component, and how many GPUs it holds.

    A pod of no object is nobody's: with none that goes its series would never end.
    """
    labels = pod["metadata"].get("labels") or {}
    component = labels.get(COMPONENT)
    if component in _COMPONENTS and not labels.keys().isdisjoint(OWNER_LABELS.values()):
        yield (reading.namespace_of(pod), component), held(pod)


class GpuMeter:
    """Adds up GPU seconds, by namespace and component, from one look to the next.

    Pods that come and go between two looks are not seen; at a scrape each 30 s that is little.
    """

    def __init__(
        self,
        present: Callable[[], Mapping[Holder, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._present, self._clock = present, clock
        self._seconds: defaultdict[Holder, float] = defaultdict(float)
        self._looked = clock()

    def present(self) -> Iterator[Sample]:
        """Yield the number of GPUs that are held now."""
        yield from self._present().items()

    def seconds(self) -> Iterator[Sample]:
        """Yield the GPU seconds until now."""
        now = self._clock()
        for key, gpus in self._present().items():
            self._seconds[key] += gpus * (now - self._looked)
        self._looked = now
        yield from self._seconds.items()

    def forget(self, namespace: str) -> None:
        """Drop the seconds of a namespace that has no object any more."""
        for key in [each for each in self._seconds if each[0] == namespace]:
            del self._seconds[key]
