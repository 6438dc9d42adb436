"""The samples of single objects, kept as they are served: encoded, and compressed in blocks.

Encoding takes a hundred times as long as sending. An object's lines are about 1.7 kB, 20 objects'
compressed ones as much: lines of a block are alike. Format of a line:
https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.utils import floatToGoString

from slipway.plan import Manifest, ObjectRef
from slipway.telemetry.catalogue import Labels

Values = Iterable[tuple[tuple[Any, ...], float | None]]
"""Values of the labels after namespace and name, and the value; None for no sample."""

_BLOCK = 64
"""Objects whose lines are compressed together."""
_LEVEL = 1
_BETWEEN = b"\0"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\"", "\0": None})
_EMPTY = zlib.compress(_BETWEEN * (_BLOCK - 1))


@dataclass(frozen=True)
class ObjectGauge:
    """A gauge that each object of a kind has: with labels for its namespace, name and more."""

    name: str
    text: str
    labels: Labels
    read: Callable[[Manifest], Values]


def lines_of(gauge: ObjectGauge, object_label: str, obj: Manifest) -> bytes:
    """Return an object's lines of one gauge; ``object_label`` is the label with its name."""
    meta = obj["metadata"]
    head = {"namespace": meta["namespace"], object_label: meta["name"]}
    return "".join(
        _line(gauge.name, {**head, **dict(zip(gauge.labels, labels, strict=True))}, value)
        for labels, value in gauge.read(obj)
        if value is not None
    ).encode("utf-8", "replace")


def _line(name: str, labels: dict[str, Any], value: float) -> str:
    pairs = (f'{label}="{str(labels[label]).translate(_ESCAPES)}"' for label in sorted(labels))
    number = floatToGoString(value)  # type: ignore[no-untyped-call]
    return f"{name}{{{','.join(pairs)}}} {number}\n"


class ObjectSamples:
    """The lines of all objects of a kind, gauge by gauge; a listener of their follower."""

    def __init__(self, gauges: tuple[ObjectGauge, ...], object_label: str) -> None:
        self.gauges = gauges
        self._label = object_label
        self._places: dict[ObjectRef, int] = {}
        self._free: list[int] = []
        self._blocks: list[list[bytes]] = []
        self._changes: dict[int, dict[int, list[bytes]]] = {}

    def seen(self, ref: ObjectRef, obj: Manifest | None) -> None:
        """Encode an object's new version, or drop the lines of one that is gone."""
        if obj is None:
            place = self._places.pop(ref)
            self._free.append(place)
            self._change(place, [b""] * len(self.gauges))
            return
        if ref not in self._places:
            self._places[ref] = self._free.pop() if self._free else self._room()
        self._change(self._places[ref], [lines_of(g, self._label, obj) for g in self.gauges])

    def _room(self) -> int:
        """Return the first place of a new block; its other ones are free from now on."""
        begin = len(self._blocks) * _BLOCK
        self._blocks.append([_EMPTY] * len(self.gauges))
        self._free.extend(range(begin + _BLOCK - 1, begin, -1))
        return begin

    def _change(self, place: int, lines: list[bytes]) -> None:
        block, index = divmod(place, _BLOCK)
        changes = self._changes.setdefault(block, {})
        changes[index] = lines
        if len(changes) == _BLOCK:
            self._settle(block)

    def _settle(self, block: int) -> None:
        """Put what changed in a block to the rest of it."""
        changes = self._changes.pop(block)
        for gauge, packed in enumerate(self._blocks[block]):
            parts = zlib.decompress(packed).split(_BETWEEN)
            for index, lines in changes.items():
                parts[index] = lines[gauge]
            self._blocks[block][gauge] = zlib.compress(_BETWEEN.join(parts), _LEVEL)

    def settle(self) -> Iterator[None]:
        """Take in all changes, block by block."""
        for block in tuple(self._changes):
            if block in self._changes:
                self._settle(block)
            yield

    def lines(self, gauge: int) -> Iterator[bytes]:
        """Yield the lines of one gauge, block by block."""
        for block in tuple(self._blocks):
            yield zlib.decompress(block[gauge]).replace(_BETWEEN, b"")
