"""Events that are recorded only if what they tell still stands after a while."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slipway.kube.watched.cache import Cache
from slipway.plan import Event, Manifest, ObjectRef

Stands = Callable[[Manifest, str], bool]
"""Tells of an object, as an Event regards it, whether a condition still has a reason."""

_MOST = 4096
"""So many events are withheld at most; those beyond it are recorded at once."""


@dataclass(frozen=True)
class Withheld:
    """An Event as it is to be posted, and when: ``due`` is in seconds of the recorder's clock."""

    due: float
    key: tuple[str, str]
    manifest: Manifest
    event: Event


class Waiting:
    """Keeps withheld events in the order in which they fall due.

    A restart of the operator loses them; the object's conditions still tell what they would.
    """

    def __init__(self) -> None:
        self._waiting: deque[Withheld] = deque()

    @property
    def is_full(self) -> bool:
        """Whether no other event can be withheld."""
        return len(self._waiting) >= _MOST

    def put(self, one: Withheld) -> None:
        """Withhold an event; of all events the grace is the same, so the newest is due last."""
        self._waiting.append(one)

    def due_in(self, now: float) -> float | None:
        """Return in how many seconds the next event falls due; None where there is none."""
        return max(0.0, self._waiting[0].due - now) if self._waiting else None

    def take(self, now: float) -> Iterator[Withheld]:
        """Take those that are due."""
        while self._waiting and self._waiting[0].due <= now:
            yield self._waiting.popleft()


def stands_in(cache: Cache) -> Stands:
    """Return who tells by the watched objects whether a condition still has a reason."""

    def stands(regarding: Manifest, reason: str) -> bool:
        place = (regarding["namespace"], regarding["name"])
        obj = cache.get(ObjectRef(regarding["apiVersion"], regarding["kind"], *place))
        if obj is None or obj["metadata"]["uid"] != regarding["uid"]:
            return False
        conditions = (obj.get("status") or {}).get("conditions") or ()
        return any(one.get("reason") == reason for one in conditions)

    return stands
