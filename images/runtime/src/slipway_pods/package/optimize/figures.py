"""What is measured of a model's forms, as lines of JSON that the container without keys writes.

Whoever reads them takes them for an enemy's: each is bounded, and of its own type.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_pods.package.built_in import PROGRAM
from slipway_runtime import strict

FLOAT = "Float"
"""The model as it was exported."""
CANDIDATES = ("Onnx", "Int8Dynamic", "Int8Static", "TorchaoInt8")
PROGRAMS = frozenset({"TorchaoInt8"})
"""Those that are programs of torch.export; the others are ONNX."""
FILE = "figures.jsonl"
"""Where the lines are, in the folder of all forms."""
SUFFIX = ".onnx"
"""The end of the names of models in ONNX."""
MAX_LINE = 4096
MAX_BYTES = (1 + len(CANDIDATES)) * 2 * MAX_LINE
MAX_SIZE = 1 << 50
MAX_MILLISECONDS = 1e9
UNTOLD = "no reason is told"
MAX_WHY = 200
"""Longest reason why a form has no figures, in characters."""


@dataclass(frozen=True)
class Figures:
    """A form's size in bytes, and its processor time for a request alone, in milliseconds.

    ``difference`` is the greatest distance of an answer from the float model's, as a share of the
    greatest magnitude in that one's answers. ``agreement`` is the share of answers whose best class
    is the float model's; None for answers that are no classes.
    """

    name: str
    size_bytes: int
    milliseconds: float
    difference: float
    agreement: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The object that says it."""
        return {
            "name": self.name,
            "sizeBytes": self.size_bytes,
            "milliseconds": self.milliseconds,
            "difference": self.difference,
            **({} if self.agreement is None else {"agreement": self.agreement}),
        }


@dataclass(frozen=True)
class Failed:
    """A form that could not be made or measured, and why."""

    name: str
    why: str

    @property
    def told(self) -> dict[str, Any]:
        """The object that says it."""
        return {"name": self.name, "why": plain(self.why) or UNTOLD}


Measured = Figures | Failed


def suffix(name: str) -> str:
    """Return the end of a candidate's file's name, which tells what loads it."""
    return PROGRAM if name in PROGRAMS else SUFFIX


def form(folder: Path, name: str) -> Path:
    """Return a candidate's file in the folder of all of them."""
    return folder / f"{name}{suffix(name)}"


def plain(text: str) -> str:
    """Return the begin of a text as one line that can be shown."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_WHY else f"{line[: MAX_WHY - 3]}..."


def line(measured: Measured) -> bytes:
    """Return the line that says what was measured."""
    return json.dumps(measured.told, allow_nan=False).encode() + b"\n"


def read(data: bytes, candidates: Sequence[str]) -> dict[str, Measured]:
    """Return what lines say of the float model and of candidates, by their names.

    Of one of which nothing is said, or nothing that counts, that is said: an enemy, or a container
    that was ended, can take away no more than a candidate. Raises ValueError for what is too long.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the figures have more than {MAX_BYTES} bytes")
    found = dict[str, Measured]()
    for each in data.splitlines():
        try:
            made = _of(strict.Fields(strict.loads(each, MAX_LINE)))
        except ValueError:
            continue
        found[made.name] = made
    lacking = "it was not measured in time, or what measured it was ended"
    return {name: found.get(name, Failed(name, lacking)) for name in (FLOAT, *candidates)}


def _of(fields: strict.Fields) -> Measured:
    name = fields.choice("name", (FLOAT, *CANDIDATES))
    if fields.has("why"):
        return Failed(name, plain(fields.text("why", MAX_LINE)) or UNTOLD)
    return Figures(
        name,
        fields.integer("sizeBytes", 1, MAX_SIZE),
        fields.number("milliseconds", MAX_MILLISECONDS),
        fields.number("difference"),
        fields.number("agreement", 1.0) if fields.has("agreement") else None,
    )
