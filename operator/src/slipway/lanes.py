"""Lanes: what waits, handed out by turns, so that nobody waits for another's many.

This is what the fair queues of Kubernetes' API Priority and Fairness do for requests.
Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Lane = TypeVar("Lane", bound=Hashable)
Item = TypeVar("Item")


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


class Rounds(Generic[Lane, Item]):
    """Goes round what each lane has, again and again: the lanes take turns, one item at a time.

    ``begin`` yields a lane's items, and None wherever it has looked for one and others are to run.
    A lane begins anew ``period`` seconds after it began last, however long the others' rounds take.
    """

    def __init__(self, begin: Callable[[Lane], Iterator[Item | None]], period: float) -> None:
        self._begin = begin
        self._period = period
        self._begun: OrderedDict[Lane, float] = OrderedDict()
        self._left: dict[Lane, Iterator[Item | None]] = {}

    def step(self, lanes: Collection[Lane], now: float) -> Iterator[Item | None]:
        """Yield None while it is looked for, and then the next item, if any lane has one.

        Between two of a lane that has one at each step come no more than one of each other lane.
        """
        self._keep(lanes)
        for lane in tuple(self._begun):
            for found in itertools.chain(self._left[lane], self._anew(lane, now)):
                if found is not None:
                    self._begun.move_to_end(lane)
                yield found
                if found is not None:
                    return

    def _keep(self, lanes: Collection[Lane]) -> None:
        """Forget the lanes that are not there any more; one that is new has its turn last."""
        for lane in self._begun.keys() - set(lanes):
            del self._begun[lane], self._left[lane]
        for lane in lanes:
            if lane not in self._begun:
                self._begun[lane], self._left[lane] = -math.inf, iter(())

    def _anew(self, lane: Lane, now: float) -> Iterator[Item | None]:
        """Yield the items of a lane's next round, if it is due."""
        if now - self._begun[lane] >= self._period:
            self._begun[lane], self._left[lane] = now, self._begin(lane)
            # Not by "yield from", which would end the round with the step.
            for found in self._left[lane]:  # noqa: UP028
                yield found
