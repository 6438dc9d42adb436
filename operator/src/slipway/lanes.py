"""Lanes: what waits, handed out by turns, so that nobody waits for another's many.

This is what the fair queues of Kubernetes' API Priority and Fairness do for requests.
Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Lanes(Generic[Key, Value]):
    """Keys with their values, in the order in which they came; each lane gives one in turn.

    ``lane_of`` names a key's lane. Every operation takes the same time however many keys and lanes
    there are, but for lanes that are closed.
    """

    def __init__(self, lane_of: Callable[[Key], Hashable]) -> None:
        self._lane_of = lane_of
        self._lanes: OrderedDict[Hashable, OrderedDict[Key, Value]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: Key) -> bool:
        return key in self._lanes.get(self._lane_of(key), ())

    def make_room(self, key: Key) -> tuple[Key, Value] | None:
        """Drop the newest key of the longest lane for a new one; return it with its value.

        None where the new one's own lane is as long: it is that one that has to go then. It takes
        the longer the more lanes there are.
        """
        longest = max(self._lanes, key=lambda name: len(self._lanes[name]), default=None)
        own = self._lanes.get(self._lane_of(key), ())
        if longest is None or len(own) >= len(self._lanes[longest]):
            return None
        newest = next(reversed(self._lanes[longest]))
        return newest, self._taken(longest, newest)

    def put(self, key: Key, value: Value) -> None:
        """Add a key that is not there yet; a lane that had none has its turn last."""
        self._lanes.setdefault(self._lane_of(key), OrderedDict())[key] = value
        self._count += 1

    def drop(self, key: Key) -> Value | None:
        """Take a key away wherever it stands; return its value, None where it is not there."""
        name = self._lane_of(key)
        return self._taken(name, key) if key in self._lanes.get(name, ()) else None

    def _taken(self, name: Hashable, key: Key) -> Value:
        """Take away a key that is there, and its lane with the last one."""
        lane = self._lanes[name]
        self._count -= 1
        value = lane.pop(key)
        if not lane:
            del self._lanes[name]
        return value

    def take(self, is_open: Callable[[Hashable], bool] | None = None) -> tuple[Key, Value]:
        """Take the oldest key of the lane whose turn it is, of those that are open.

        All are open by default. Raises KeyError where nothing waits in any.
        """
        name = self._next(is_open)
        lane = self._lanes.pop(name)
        taken = lane.popitem(last=False)
        self._count -= 1
        if lane:
            self._lanes[name] = lane
        return taken

    def _next(self, is_open: Callable[[Hashable], bool] | None) -> Hashable:
        for name in self._lanes:
            if is_open is None or is_open(name):
                return name
        raise KeyError("nothing waits in a lane that is open")
