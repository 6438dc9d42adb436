"""How much of the operator's memory the objects of one namespace may take.

The memory is everybody's: 5,000 objects of 250 KiB, which any user may create, would end the
operator, and again at each of its starts.
"""

from collections import Counter
from collections.abc import Iterator

NO_LIMIT = 1 << 30
"""What is shared out where the operator's container has no limit of its memory, in bytes."""
ENTRY_BYTES = 512
"""What an object takes beside its content: its names, its places in dictionaries."""
_AT_ONCE = 2
"""What one object and its children take while they are read may be this part of a namespace's room:
it holds twice 1,000 serving pods at the chart's limit, and each worker reads one object's."""
_MIB = 1 << 20


def share(limit: int | None, percent: float) -> int:
    """Return the bytes that a namespace's objects may take of a container's memory limit."""
    return int((NO_LIMIT if limit is None else limit) * percent / 100)


def in_memory(text: bytes) -> int:
    """Return about how many bytes Python's values of a JSON text take.

    An empty dictionary takes 64 bytes in CPython 3.12, and one of few keys 184; a list 56 and 8 for
    each value, and a short text 49 beside its letters. Keys that come again and again are shared.
    """
    values = text.count(b",") + text.count(b":")
    return len(text) + 64 * (text.count(b"{") + text.count(b"[")) + 40 * values


class Room:
    """The room that namespaces have, ``most`` bytes each, and what is taken of it."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self._outlines: Counter[str] = Counter()

    def has(self, namespace: str, size: int) -> bool:
        """Tell whether so many bytes more fit into a namespace's room."""
        return self._taken[namespace] + size <= self._most

    def has_at_once(self, size: int) -> bool:
        """Tell whether one object, with its children, may take so many bytes while it is read."""
        return size <= self._most / _AT_ONCE

    def taken(self, namespace: str) -> int:
        """Return how many bytes a namespace's objects take."""
        return self._taken[namespace]

    def change(self, namespace: str, size: int, outlines: int) -> None:
        """Take so many bytes more or less, and note so many outlines more or less."""
        for counter, by in ((self._taken, size), (self._outlines, outlines)):
            counter[namespace] += by
            if not counter[namespace]:
                del counter[namespace]

    def outlines(self) -> Iterator[tuple[str, int]]:
        """Yield the namespaces of which some objects are kept in outline, and how many."""
        yield from self._outlines.items()

    def is_short(self, namespace: str) -> bool:
        """Tell whether objects of a namespace are kept in outline."""
        return self._outlines[namespace] > 0

    def sentence_at_once(self) -> str:
        """Return what is told where an object cannot be read together with its children."""
        return (
            "it takes more of the operator's memory, with its children, than one object may, "
            f"{self._most / _AT_ONCE / _MIB:.0f} MiB: write less into it, such as into the "
            "annotations, labels and containers of its podTemplate, which each pod has"
        )

    def sentence(self, namespace: str) -> str:
        """Return what is told where there is no room for an object."""
        return (
            f"the objects of namespace {namespace} take more of the operator's memory than one "
            f"namespace may, {self._most / _MIB:.0f} MiB: delete some, or write less into them"
        )
