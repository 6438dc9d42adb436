"""The keys whose time has come, and which of them is next.

What somebody changed comes before what is only looked at again: a new object need not wait until
all others were looked at after a start. Of each nine keys one is of the second sort, so that they
have their turn as well.

Within each sort the lanes, which are the namespaces, take turns, a key each: whoever changes 5,000
objects at once delays their own alone.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from slipway.lanes import Lanes

Key = TypeVar("Key", bound=Hashable)

_MOST_IN_A_ROW = 8
"""How many urgent keys are handed out before one in the background has its turn."""


class ReadyKeys(Generic[Key]):
    """Keys whose time has come, each once, with the time since when: urgent ones come first."""

    def __init__(self, lane_of: Callable[[Key], Hashable]) -> None:
        self._urgent: Lanes[Key, float] = Lanes(lane_of)
        self._background: Lanes[Key, float] = Lanes(lane_of)
        self._row = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._background)

    def __contains__(self, key: Key) -> bool:
        return key in self._urgent or key in self._background

    def put(self, key: Key, since: float, *, background: bool) -> None:
        """Add a key that is not there yet."""
        (self._background if background else self._urgent).put(key, since)

    def hurry(self, key: Key) -> None:
        """Have a key that may be in the background come with the urgent ones."""
        since = self._background.drop(key)
        if since is not None:
            self._urgent.put(key, since)

    def take(self, is_open: Callable[[Hashable], bool] | None = None) -> tuple[Key, float]:
        """Take the next key and the time since when it is ready, of the lanes that are open.

        Raises KeyError where nothing waits in any.
        """
        patient = self._row < _MOST_IN_A_ROW or not self._background
        for urgent in (patient, not patient):
            with suppress(KeyError):
                taken = (self._urgent if urgent else self._background).take(is_open)
                self._row = self._row + 1 if urgent else 0
                return taken
        raise KeyError("nothing waits in a lane that is open")
